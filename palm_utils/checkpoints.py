"""Saving a training run so that it can be resumed, and never loses what was saved before.

A checkpoint is three files: NAME.pdparams and NAME.pdopt as `paddle.save` writes them (the tutorial's
palm.pdparams and palm.pdopt), and NAME.json with the history and what else a resumed run needs; the
parameters of the best epoch lie beside them as NAME.best.pdparams.

They are written as NAME.next.* first. NAME.next.json, which appears last and in one step, says that all
of them are whole; only then do they take the places of the old ones. Whoever is killed on the way leaves
either the old checkpoint, or a new one whose last renames the next `open` completes.
"""

import contextlib
import json
import os
import shutil
from pathlib import Path

from palm_utils.errors import DataError, DataNotFound
from palm_utils.files import flush, replacing


class Checkpoint:
    """The files of one training run, `name`.* in `folder`."""

    def __init__(self, folder: str | Path, name: str):
        self.folder, self.name = Path(folder), name
        self.params = self.folder / f"{name}.pdparams"
        self.opt = self.folder / f"{name}.pdopt"
        self.best = self.folder / f"{name}.best.pdparams"
        self.state = self.folder / f"{name}.json"
        self._next = {p: self.folder / f"{name}.next{p.suffix}" for p in (self.params, self.opt, self.state)}

    def open(self) -> None:
        """Make the folder, and bring what an interrupted `save` left into order."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._next[self.state].exists():
            self._finish()
        for leftover in (*self._next.values(), *self.folder.glob(f".{self.name}.*.part")):
            leftover.unlink(missing_ok=True)

    def save(self, model, optimizer, state: dict, *, best: bool) -> None:
        """Put a new checkpoint in the place of the old one.

        state: what JSON can hold; best: whether this epoch's parameters are the best so far.
        """
        import paddle

        for target, content in ((self.params, model.state_dict()), (self.opt, optimizer.state_dict())):
            paddle.save(content, str(self._next[target]))
            flush(self._next[target])
        # The names PaddlePaddle gave the parameters, in order: they key the optimizer's state.
        names = [p.name for p in model.parameters()]
        with replacing(self._next[self.state]) as path:
            path.write_text(json.dumps({**state, "parameter_names": names, "best": best}), encoding="utf-8")
        self._finish()

    def load(self, model, optimizer) -> dict | None:
        """Put the saved parameters and optimizer state in place; return the state, None where none is saved.

        Raises DataError when what is saved belongs to another network, or has lost its NAME.json.
        """
        import paddle

        self.open()
        if not self.state.exists():
            if self.params.exists():
                raise DataError(
                    f"{self.params} has no {self.state.name} beside it, so the epoch it belongs to is unknown. "
                    "Load it with evaluation(model, path), or train without resume=True."
                )
            return None
        state = json.loads(self.state.read_text(encoding="utf-8"))
        load_parameters(model, self.params)
        names = [p.name for p in model.parameters()]
        saved = paddle.load(str(self.opt))
        optimizer.set_state_dict(_renamed(saved, state.pop("parameter_names"), names, optimizer))
        state.pop("best")
        return state

    def _finish(self) -> None:
        state = json.loads(self._next[self.state].read_text(encoding="utf-8"))
        for target in (self.params, self.opt):
            if self._next[target].exists():
                self._next[target].replace(target)
        if state["best"]:
            with replacing(self.best) as path:
                _same_content(self.params, path)
        self._next[self.state].replace(self.state)


def load_parameters(model, path: str | Path) -> None:
    """Load a .pdparams file into a model.

    Raises DataNotFound when there is none and DataError when it is damaged or belongs to another
    network, where PaddlePaddle itself would only warn.
    """
    import paddle

    path = Path(path)
    if not path.is_file():
        raise DataNotFound(f"{path}: no such parameter file. train_pm writes palm.pdparams after each epoch.")
    try:
        saved = paddle.load(str(path))
    except Exception as error:
        raise DataError(f"{path}: not a readable parameter file ({error}). Train again to replace it.") from error
    own = model.state_dict()
    if not isinstance(saved, dict):
        raise DataError(f"{path}: holds a {type(saved).__name__}, not the parameters of a network.")
    wrong = [
        f"{key}: file {_shape(saved.get(key))}, network {_shape(own.get(key))}"
        for key in [*own, *(k for k in saved if k not in own)]
        if _shape(saved.get(key)) != _shape(own.get(key))
    ]
    if wrong:
        raise DataError(
            f"{path}: belongs to another network than {type(model).__name__}; "
            f"{len(wrong)} of {len(own)} parameters differ, first {wrong[0]}"
        )
    model.set_state_dict(saved)


def _shape(value) -> str:
    return "nothing" if value is None else str(list(value.shape))


def _renamed(state: dict, old_names: list[str], new_names: list[str], optimizer) -> dict:
    """Key a saved optimizer state by the names that `optimizer` uses, or will use, for the same tensors.

    PaddlePaddle keys momentum and the like by generated names, linear_0.w_0_velocity_0: both numbers
    count what was made before in the process. The second model of a notebook has other ones, and
    a second optimizer of the same model too.
    """
    from paddle.utils import unique_name

    names = dict(zip(old_names, new_names, strict=True))
    in_use = {key.rpartition("_")[0]: key for key in optimizer.state_dict()}
    renamed = {}
    for key, value in state.items():
        owner = next((old for old in names if key.startswith(f"{old}_")), None)
        if key == "master_weights":
            renamed[key] = {names.get(old, old): weight for old, weight in value.items()}
        elif owner is None:  # LR_Scheduler
            renamed[key] = value
        else:
            prefix = (names[owner] + key[len(owner) :]).rpartition("_")[0]
            # Not made yet: the optimizer will take the number after the one that is handed out here.
            next_key = f"{prefix}_{int(unique_name.generate(prefix).rpartition('_')[2]) + 1}"
            renamed[in_use.get(prefix, next_key)] = value
    return renamed


def _same_content(source: Path, target: Path) -> None:
    # A hard link costs no space: `source` is never written into, only replaced.
    target.unlink()
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    shutil.copyfile(source, target)
