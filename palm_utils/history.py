"""The history of a training run: losses and accuracy of each epoch, settings and machine. Chapter 1 fills it first."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

from palm_utils.files import replacing
from palm_utils.machine import describe_machine, machine_line  # noqa: F401 - notebooks import both from here
from palm_utils.messages import DataError, DataNotFound, tr


@dataclass
class History:
    """One row of figures per epoch, and the settings of the run.

    epochs: one dict per finished epoch with epoch (from 0), train_loss, valid_loss (mean over images),
    valid_accuracy, valid_auc (nan where it is not defined), seconds.
    about: model, optimizer, seed, batch_size (None where the reader has none), device, threads, versions.
    """

    epochs: list[dict] = field(default_factory=list)
    about: dict = field(default_factory=dict)

    def add(
        self,
        epoch: int,
        train_loss: float,
        valid_loss: float,
        valid_accuracy: float,
        *,
        seconds: float,
        valid_auc: float = math.nan,
    ) -> None:
        """Append the row of a finished epoch (numbered from 0)."""
        row = {"train_loss": train_loss, "valid_loss": valid_loss, "valid_accuracy": valid_accuracy}
        row |= {"valid_auc": valid_auc, "seconds": seconds}
        self.epochs.append({"epoch": epoch, **{key: float(value) for key, value in row.items()}})

    def __getitem__(self, column: str) -> list:
        """Return one column over the epochs: history["valid_accuracy"]."""
        if self.epochs and column not in self.epochs[0]:
            raise KeyError(f"{column!r}; a history has {', '.join(self.epochs[0])}")
        return [row[column] for row in self.epochs]

    def __len__(self) -> int:
        return len(self.epochs)

    @property
    def last(self) -> dict:
        """The row of the last finished epoch."""
        return self.epochs[-1]

    @property
    def best(self) -> dict:
        """The row with the highest validation accuracy; among equals, the lowest validation loss."""
        return min(self.epochs, key=lambda row: (-row["valid_accuracy"], row["valid_loss"]))

    def __str__(self) -> str:
        # With more than two classes there is no AUC, and its column is left out.
        with_auc = any(not math.isnan(row["valid_auc"]) for row in self.epochs)
        lines = [tr("epoch  train loss  valid loss  accuracy  seconds")]
        if with_auc:
            lines = [tr("epoch  train loss  valid loss  accuracy     AUC  seconds")]
        for row in self.epochs:
            auc = f"  {row['valid_auc']:6.4f}" if with_auc else ""
            lines.append(
                f"{row['epoch'] + 1:5}  {row['train_loss']:10.4f}  {row['valid_loss']:10.4f}  "
                f"{row['valid_accuracy']:8.4f}{auc}  {row['seconds']:7.1f}"
            )
        return "\n".join(lines)

    def to_dict(self) -> dict:
        """Return a dict for JSON; an undefined figure (nan) becomes null."""
        rows = [{k: v if v == v else None for k, v in row.items()} for row in self.epochs]  # nan alone is not itself
        return {"about": self.about, "epochs": rows}

    @classmethod
    def from_dict(cls, content: dict) -> "History":
        rows = [{k: float("nan") if v is None else v for k, v in row.items()} for row in content["epochs"]]
        return cls(rows, content["about"])

    def save(self, path: str | Path) -> None:
        """Write the history as JSON to `path`; an old file there is replaced."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "History":
        """Read a history that `save` wrote, or the NAME.json that train_pm keeps beside its parameters."""
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls.from_dict(content.get("history", content))
        except FileNotFoundError:
            raise DataNotFound("{path}: no such history. train_pm writes one after each epoch.", path=path) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError("{path}: not a training history ({error!r}).", path=path, error=error) from None
