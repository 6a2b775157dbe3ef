"""Saving a training run so that it can be resumed, and never loses what was saved before.

A checkpoint is three files: NAME.pdparams and NAME.pdopt as `paddle.save` writes them (the tutorial's
palm.pdparams and palm.pdopt), and NAME.json with the history and what else a resumed run needs; the
parameters of the best epoch lie beside them as NAME.best.pdparams.

They are written as NAME.next.* first. NAME.next.json, which appears last and in one step, says that all
of them are whole; only then do they take the places of the old ones. Whoever is killed on the way leaves
either the old checkpoint, or a new one whose last renames the next `recover` completes.

Of several processes that train together, the first writes and reads the files; the others, which may be on
machines without them, wait for it and get what it has read.
"""

import json
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import filelock

from palm_utils import distributed, optimizer_state
from palm_utils.files import flush, replacing
from palm_utils.messages import CourseError, DataError, DataNotFound, tr
from palm_utils.saving import not_saved, refuse_full_disk, saying_what_to_do


class Checkpoint:
    """The files of one training run, `name`.* in `folder`.

    Raises ValueError for a name whose files could be mistaken for another run's.
    """

    def __init__(self, folder: str | Path, name: str):
        if not re.fullmatch(r"[\w-]+", name):
            raise ValueError(f"name is {name!r}; a run's name is made of letters, digits, - and _")
        self.folder, self.name = Path(folder), name
        self.params = self.folder / f"{name}.pdparams"
        self.opt = self.folder / f"{name}.pdopt"
        self.best = self.folder / f"{name}.best.pdparams"
        self.state = self.folder / f"{name}.json"
        files = (self.params, self.opt, self.best, self.state)
        self._next = {path: path.with_name(path.name.replace(name, f"{name}.next", 1)) for path in files}

    @contextmanager
    def held(self, model=None) -> Iterator[None]:
        """Keep the run's files to this training; make the folder and `recover` first.

        Raises CourseError when another training holds them, or nothing (or not this `model`) can be written there.
        """
        with ExitStack() as stack:
            distributed.by_first(lambda: stack.enter_context(self._held(model)))
            yield

    @contextmanager
    def _held(self, model) -> Iterator[None]:
        lock = filelock.FileLock(self.folder / f".{self.name}.lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise CourseError(
                tr(
                    "Another training is writing {file} at this moment. Wait for it, or give this one a folder of "
                    "its own: train_pm(..., folder='checkpoints/second').",
                    file=self.params,
                )
            ) from None
        except NotImplementedError:
            print(tr("{folder} cannot be locked: let no other training write there meanwhile.", folder=self.folder))
        except OSError as error:
            raise not_saved(self.folder, error) from None
        try:
            with saying_what_to_do(self.folder):
                self.recover()
            refuse_full_disk(self.folder, model)
            yield
        finally:
            lock.release()

    def recover(self) -> None:
        """Bring what an interrupted `save` left into order."""
        if self._next[self.state].exists():
            self._finish()
        self._clear()

    def _clear(self) -> None:
        """Remove what a `save` has left that did not come to its end."""
        for leftover in (*self._next.values(), *self.folder.glob(f".{self.name}.*.part")):
            leftover.unlink(missing_ok=True)

    def save(self, model, optimizer, state: dict, *, best: bool) -> None:
        """Put a new checkpoint in the place of the old one.

        state: what JSON can hold; best: whether this epoch's parameters are the best so far.
        Raises NotSaved where that cannot be written.
        """
        distributed.by_first(lambda: self._save(model, optimizer, state, best))

    def _save(self, model, optimizer, state: dict, best: bool) -> None:
        with saying_what_to_do(self.folder, state.get("history"), earlier=self.state.exists()):
            try:
                self._write_next(model, optimizer, state, best)
            except OSError:
                with suppress(OSError):
                    self._clear()  # gives back the room
                raise
            self._finish()

    def _write_next(self, model, optimizer, state: dict, best: bool) -> None:
        import paddle

        checksums = {}
        for target, content in ((self.params, model.state_dict()), (self.opt, optimizer.state_dict())):
            paddle.save(content, str(self._next[target]))
            flush(self._next[target])
            checksums[target.suffix] = _checksum(self._next[target])
        saved = {
            # The names PaddlePaddle gave the parameters, in order: they key the optimizer's state.
            "parameter_names": [p.name for p in model.parameters()],
            "optimizer": type(optimizer).__name__,
            "checksums": checksums,
        }
        if best:
            shutil.copyfile(self._next[self.params], self._next[self.best])
            flush(self._next[self.best])
        with replacing(self._next[self.state]) as path:
            path.write_text(json.dumps({**state, "saved": saved}), encoding="utf-8")

    def load(self, model, optimizer) -> dict | None:
        """Put the saved parameters and optimizer state in place; return the state, None where none is saved.

        Raises DataError, before anything is loaded, when a file is missing, damaged or replaced since it
        was saved, or belongs to another network or optimizer. Of several processes the first alone has the
        parameters then (see distributed.averaging).
        """
        import paddle

        tensors: dict = {}

        def read() -> dict | None:
            state = self._read(optimizer)
            if state is not None:
                load_parameters(model, self.params)
                tensors.update(paddle.load(str(self.opt)))
            return state

        state = distributed.by_first(read)
        if state is None:
            return None
        saved_names = state.pop("saved")["parameter_names"]
        names = [p.name for p in model.parameters()]
        optimizer_state.put_back(optimizer, distributed.state_of_first(tensors), saved_names, names)
        return state

    def _read(self, optimizer) -> dict | None:
        self.recover()
        if not self.state.exists():
            if self.params.exists():
                raise DataError(
                    tr(
                        "{file} has no {state} beside it, so the epoch it belongs to is unknown. Load it with "
                        "evaluation(model, path), or train without resume=True.",
                        file=self.params,
                        state=self.state.name,
                    )
                )
            return None
        state = self._checked_state()
        saved = state["saved"]
        if saved["optimizer"] != type(optimizer).__name__:
            raise DataError(
                tr(
                    "{file} was saved by {saved}, this optimizer is {given}. Resume with the same kind, or train "
                    "without resume=True.",
                    file=self.opt,
                    saved=saved["optimizer"],
                    given=type(optimizer).__name__,
                )
            )
        return state

    def _checked_state(self) -> dict:
        remedy = tr("Train without resume=True to replace it, or remove it.")
        try:
            state = json.loads(self.state.read_text(encoding="utf-8"))
            checksums = state["saved"]["checksums"]
        except (ValueError, KeyError, TypeError):
            raise DataError(
                tr("{file}: not the state of a run that can be resumed. {remedy}", file=self.state, remedy=remedy)
            ) from None
        for path in (self.params, self.opt):
            if not path.is_file():
                raise DataError(
                    tr("{path} is missing beside {state}. {remedy}", path=path, state=self.state.name, remedy=remedy)
                )
            if _checksum(path) != checksums[path.suffix]:
                raise DataError(
                    tr(
                        "{path} is not what was saved with {state}: damaged or replaced. {remedy}",
                        path=path,
                        state=self.state.name,
                        remedy=remedy,
                    )
                )
        return state

    def _finish(self) -> None:
        for target in (self.params, self.opt, self.best):
            if self._next[target].exists():
                self._next[target].replace(target)
        self._next[self.state].replace(self.state)


def load_parameters(model, path: str | Path) -> None:
    """Load a .pdparams file into a model.

    Raises DataNotFound when there is none and DataError when it is damaged or belongs to another
    network, where PaddlePaddle itself would only warn.
    """
    import paddle

    path = Path(path)
    if not path.is_file():
        raise DataNotFound(
            tr("{path}: no such parameter file. train_pm writes palm.pdparams after each epoch.", path=path)
        )
    try:
        saved = paddle.load(str(path))
    except Exception as error:
        raise DataError(
            tr("{path}: not a readable parameter file ({error}). Train again to replace it.", path=path, error=error)
        ) from error
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
            tr(
                "{path}: belongs to another network than {network}; {count} of {total} parameters differ, first "
                "{first}",
                path=path,
                network=type(model).__name__,
                count=len(wrong),
                total=len(own),
                first=wrong[0],
            )
        )
    model.set_state_dict(saved)


def _shape(value) -> str:
    return "nothing" if value is None else str(list(value.shape))


def _checksum(path: Path) -> int:
    """Return the CRC-32 of a file: it tells accidents, and reads half a gigabyte in half a second."""
    value = 0
    with open(path, "rb") as f:
        while block := f.read(2**22):
            value = zlib.crc32(block, value)
    return value
