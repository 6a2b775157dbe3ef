"""Checkpoints: save a training run after each epoch, and resume it with the same results, bit for bit.

Chapter 1 saves and loads parameters; chapter 7 stops a run, resumes it and compares. A checkpoint is NAME.pdparams and
NAME.pdopt as `paddle.load` reads them, NAME.json with the history, and NAME.best.pdparams of the best epoch. `save`
first writes NAME.next.*. NAME.next.json comes last, in one step: it marks them as complete. Then they replace the old
files. If the process is killed before the mark, the old checkpoint stays; after, `recover` completes the new one.
"""

import errno
import json
import pickle
import re
import shutil
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial, reduce
from pathlib import Path

import filelock

from palm_utils.files import flush, is_disk_full, replacing, shortage
from palm_utils.history import History
from palm_utils.messages import CourseError, DataError, DataNotFound, Text, WrongArgument, mark, tr

# isort: split
import paddle  # after palm_utils.machine, which prepares it


class NotSaved(CourseError):
    """A run cannot be saved. history: all its epochs, of which the last is not saved; None before the first epoch."""

    history: History | None = None


class Checkpoint:
    """The files `name`.* of a run in `folder`; WrongArgument for a name of more than letters, digits, - and _."""

    def __init__(self, folder: str | Path, name: str):
        if not re.fullmatch(r"[\w-]+", name):
            raise WrongArgument("name is {name!r}; a run's name is made of letters, digits, - and _", name=name)
        self.folder, self.name = Path(folder), name
        ends = ("pdparams", "pdopt", "best.pdparams", "json")
        self.params, self.opt, self.best, self.state = files = [self.folder / f"{name}.{end}" for end in ends]
        self._next = {file: self.folder / f"{name}.next.{end}" for file, end in zip(files, ends, strict=True)}

    @contextmanager
    def held(self, model=None) -> Iterator[None]:
        """Make the folder, lock the run's files for this process in a `with` block, and call `recover`.

        Raises CourseError when another process has locked them, NotSaved when the disk has no room for `model` twice.
        """
        lock = filelock.FileLock(self.folder / f".{self.name}.lock")
        with ExitStack() as stack:
            stack.callback(lock.release)
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                lock.acquire(timeout=0)
                self.recover()
                sizes = [] if model is None else [v.size * v.element_size() for v in model.state_dict().values()]
                if lacking := shortage(self.folder, 2 * sum(sizes)):
                    raise OSError(errno.ENOSPC, lacking)
            except filelock.Timeout:
                raise CourseError(
                    "Another training is writing {file} at this moment. Wait for it, or give this one a folder of "
                    "its own: train_pm(..., folder='checkpoints/second').",
                    file=self.params,
                ) from None
            except NotImplementedError:
                print(tr("{folder} cannot be locked: let no other training write there meanwhile.", folder=self.folder))
            except OSError as error:
                raise self._not_saved(error) from None
            yield

    def recover(self) -> None:
        """Complete an interrupted `save` if all its files are written; otherwise remove them."""
        if self._next[self.state].exists():
            self._replace()
        for leftover in (*self._next.values(), *self.folder.glob(f".{self.name}.*.part")):
            leftover.unlink(missing_ok=True)

    def save(self, model, optimizer, state: dict, *, best: bool) -> None:
        """Replace the old checkpoint by a new one. Raises NotSaved when it cannot be written.

        state: a dict for JSON, with the History as "history"; best: whether these parameters are the best so far.
        """
        # `load` needs the names: they are the keys of the optimizer's state.
        saved = {"parameter_names": [p.name for p in model.parameters()], "optimizer": type(optimizer).__name__}
        saved["checksums"] = {}
        try:
            for target, content in ((self.params, model.state_dict()), (self.opt, optimizer.state_dict())):
                _write(content, self._next[target])
                saved["checksums"][target.suffix] = _checksum(self._next[target])
            if best:
                shutil.copyfile(self._next[self.params], self._next[self.best])
                flush(self._next[self.best])
            with replacing(self._next[self.state]) as path:
                text = json.dumps({**state, "saved": saved}, default=lambda array: array.tolist())
                path.write_text(text, encoding="utf-8")
            self._replace()
        except OSError as error:
            with suppress(OSError):
                self.recover()  # frees the disk space
            raise self._not_saved(error, state.get("history")) from None

    def _replace(self) -> None:
        for target, written in self._next.items():  # the state is last: it marks the end
            if written.exists():
                written.replace(target)

    def _not_saved(self, error: OSError, history: dict | None = None) -> NotSaved:
        hint = Text("Make that folder writable, or name another (folder=, save_dir= or --folder).")
        if is_disk_full(error):
            hint = Text("Make room on that disk, or name a folder on another (folder=, save_dir= or --folder).")
        if history is not None and self.state.exists():
            hint = Text("{hint} What was saved before is still there, and resume=True goes on from it.", hint=hint)
        if history is not None:
            template = mark(
                "{hint} The epoch that has just ended is in the model, its figures in this error's .history; "
                "paddle.save(model.state_dict(), FILE) keeps its parameters elsewhere."
            )
            hint = Text(template, hint=hint)
        values = {"folder": self.folder.absolute(), "reason": error.strerror or error, "remedy": hint}
        raised = NotSaved("Training cannot be saved in {folder} ({reason}). {remedy}", **values)
        raised.history = history and History.from_dict(history)
        return raised

    def what_is_saved(self, history: History) -> str:
        """Return a message about what is on the disk after an interruption, even in the middle of `save`."""
        self.recover()
        saved = History.load(self.state).to_dict()["epochs"] if self.state.exists() else []  # nan is null there
        if not saved or saved != history.to_dict()["epochs"][: len(saved)]:
            end = f"; {self.params} is of an earlier run." if saved else "."
            return f"Interrupted before the first epoch was finished and saved{end}"
        how = f"History.load({str(self.state)!r}) reads its history, train_pm(..., resume=True) goes on from there."
        return f"Interrupted. {self.params} holds the run after {len(saved)} finished epoch(s); {how}"

    def load(self, model, optimizer) -> dict | None:
        """Load the saved parameters and optimizer state; return the `state` given to `save`, None if nothing is saved.

        Raises DataError, before it loads anything, when a file is missing, damaged, replaced or of another network.
        """
        self.recover()
        if not self.state.exists() and not self.params.exists():
            return None
        values = {"opt": self.opt, "file": self.state, "state": self.state.name, "given": type(optimizer).__name__}
        values |= {"params": self.params, "remedy": Text("Train without resume=True to replace it, or remove it.")}
        if not self.state.exists():
            raise DataError("{params} has no {state} beside it, and thus no known epoch. {remedy}", **values)
        try:
            state = json.loads(self.state.read_text(encoding="utf-8"))
            saved = state.pop("saved")
            checksums, names, kind = saved["checksums"], saved["parameter_names"], saved["optimizer"]
        except (ValueError, LookupError, TypeError, AttributeError):
            raise DataError("{file}: not the state of a run that can be resumed. {remedy}", **values) from None
        for path in (self.params, self.opt):
            values["path"] = path
            if not path.is_file():
                raise DataError("{path} is missing beside {state}. {remedy}", **values)
            if _checksum(path) != checksums[path.suffix]:
                raise DataError("{path} is not what was saved with {state}: damaged or replaced. {remedy}", **values)
        if kind != values["given"]:
            raise DataError("{opt} was saved by {kind}, this optimizer is {given}. {remedy}", kind=kind, **values)
        load_parameters(model, self.params)
        with warnings.catch_warnings():
            # PaddlePaddle's LinearWarmup warns that the state of its inner schedule is unused, but uses it.
            warnings.filterwarnings("ignore", "There are some unused values in state_dict")
            optimizer.set_state_dict(_renamed(paddle.load(str(self.opt)), names, model, optimizer))
        return state


class _OneByOne(pickle.Pickler):
    """Makes an array of each tensor when its turn comes."""

    def reducer_override(self, value):
        return value.numpy().__reduce_ex__(5) if isinstance(value, paddle.Tensor) else NotImplemented


def _write(content: dict, path: Path) -> None:
    """Write a state for `paddle.load`. `paddle.save` copies all tensors first, with VGG-16 and Adam two gigabytes."""
    names = {key: value.name for key, value in content.items() if isinstance(value, paddle.Tensor)}
    with path.open("wb") as file:
        pickler = _OneByOne(file, protocol=5)
        pickler.fast = True  # without a memo, which would keep all of them
        pickler.dump({**content, "StructuredToParameterName@@": names})
    flush(path)


def _checksum(path: Path) -> int:
    with path.open("rb") as file:
        return reduce(lambda crc, part: zlib.crc32(part, crc), iter(partial(file.read, 1 << 24), b""), 0)


def load_parameters(model, path: str | Path) -> None:
    """Load a .pdparams file into a model.

    Raises DataNotFound when it is missing, DataError when it is damaged or of another network, where PaddlePaddle
    only warns.
    """
    path, own = Path(path), {key: list(value.shape) for key, value in model.state_dict().items()}
    if not path.is_file():
        raise DataNotFound("{path}: no such parameter file. train_pm writes palm.pdparams after each epoch.", path=path)
    try:
        parameters = paddle.load(str(path))
        saved = {key: list(value.shape) for key, value in parameters.items()}
    except Exception as error:
        raise DataError(
            "{path}: not a readable parameter file ({error}). Train again to replace it.", path=path, error=error
        ) from None
    if wrong := [key for key in own | saved if own.get(key) != saved.get(key)]:
        values = {"path": path, "network": type(model).__name__, "count": len(wrong), "total": len(own)}
        values["first"] = f"{wrong[0]}: file {saved.get(wrong[0], 'nothing')}, network {own.get(wrong[0], 'nothing')}"
        raise DataError(
            "{path}: belongs to another network than {network}; {count} of {total} parameters differ, first {first}",
            **values,
        )
    model.set_state_dict(parameters)


def _renamed(state: dict, old_names: list[str], model, optimizer) -> dict:
    """Return a saved optimizer state with the keys that `optimizer` uses, or will use, for the same tensors.

    PaddlePaddle generates keys such as linear_0.w_0_velocity_0 for momentum. The numbers count what the process has
    made before, so a notebook's second model, or a model's second optimizer, has other keys.
    """
    names = dict(zip(old_names, [p.name for p in model.parameters()], strict=True))
    in_use = {key.rpartition("_")[0]: key for key in optimizer.state_dict()}
    renamed = {}
    for key, value in state.items():
        owner = next((old for old in names if key.startswith(f"{old}_")), None)
        if owner is not None:  # the learning rate schedule belongs to no parameter
            prefix = (names[owner] + key[len(owner) :]).rpartition("_")[0]
            if prefix not in in_use:
                # Not made yet: the optimizer will use the number that follows the one generated here.
                in_use[prefix] = f"{prefix}_{int(paddle.utils.unique_name.generate(prefix).rpartition('_')[2]) + 1}"
            key = in_use[prefix]
        renamed[key] = value
    return renamed
