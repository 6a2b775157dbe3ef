"""What test_hard_interruption kills, in a process of its own, whose copies do the work and are killed.

A process that has computed with PaddlePaddle cannot be copied: this one only imports it.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import threading
import time
import traceback
from pathlib import Path

from moments import Moment, counted, ended_after, forked

# --- training

EPOCHS = 40
# Where a training spends its moments.
BATCHES = ("training.py", "readers.py")
VALIDATION = ("layers.py", "metrics.py")
SAVING = ("checkpoints.py", "files.py", "write")
PARTS = {"batches": BATCHES, "validation": VALIDATION, "saving": SAVING}


def train(palm, folder, epochs=EPOCHS):
    from networks import Tiny, adam_with_schedule

    from palm_utils.readers import data_loader, valid_data_loader
    from palm_utils.seeds import seed_everything
    from palm_utils.training import train_pm

    seed_everything(4)
    model = Tiny()
    loaders = {
        "train_loader": data_loader(palm / "PALM-Training400", 4),
        "valid_loader": valid_data_loader(palm / "PALM-Validation400", palm / "labels.csv", 4),
    }
    history = train_pm(
        model, adam_with_schedule(model), epochs=epochs, folder=folder, resume=True, progress=False, **loaders
    )
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in history.epochs]
    return {"parameters": digest(model), "history": rows}


def digest(model):
    content = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        content.update(name.encode() + value.numpy().tobytes())
    return content.hexdigest()


def train_noting(palm, folder):
    """Train without a break; return what `train` does, and a digest of the parameters after each epoch."""
    from palm_utils import checkpoints

    save, digests = checkpoints.Checkpoint.save, []

    def noted(self, model, *args, **options):
        digests.append(digest(model))
        save(self, model, *args, **options)

    checkpoints.Checkpoint.save = noted
    return train(palm, folder) | {"digests": digests}


def look(folder):
    """Return what lies in a checkpoint's folder: by paddle.load as it is, and after a copy of it is resumed."""
    import paddle
    from networks import Tiny, adam_with_schedule

    from palm_utils.checkpoints import Checkpoint

    if not (folder / "palm.json").exists():
        return None
    found = {}
    for name in ("palm", "palm.best"):
        model = Tiny()
        model.set_state_dict(paddle.load(str(folder / f"{name}.pdparams")))
        found[name] = digest(model)
    copy = Path(shutil.copytree(folder, folder.with_name("copy")))
    model = Tiny()
    state = Checkpoint(copy, "palm").load(model, adam_with_schedule(model))
    shutil.rmtree(copy)
    return found | {"resumed": digest(model), "rows": [row["epoch"] for row in state["history"]["epochs"]]}


def training(palm, folder, seed):
    """Kill a training at 30 moments, by counted events, and another at 30, by the clock; print what was found."""
    _import_everything()
    palm, folder, chance = Path(palm), Path(folder), random.Random(seed)
    folder.mkdir()
    started = {"whole": forked(lambda: train_noting(palm, folder / "whole"))[1]}
    events = _events_of_an_epoch(palm, folder)
    moments = []
    for number in range(30):
        name = list(PARTS)[number % 3]
        at = chance.randint(1, 2 * events[name])
        work = counted(lambda: train(palm, folder / "counted"), PARTS[name], at)
        ended = forked(work)[0]
        moments.append({"part": name, "at": at, "ended": ended, "found": forked(lambda: look(folder / "counted"))[1]})
    last = forked(lambda: train(palm, folder / "counted"))[1]

    seconds = _seconds_of(lambda: forked(lambda: train(palm, folder / "timed")))
    clock, runs = [], []
    while len(clock) < 30:
        run = folder / f"run{len(runs)}"
        longest, saved = seconds / 5, 0
        while True:
            delay = chance.uniform(0, longest)
            ended, result = forked(lambda run=run: train(palm, run), lambda delay=delay: ended_after(delay))
            if not ended:
                runs.append(result)
                break
            found = forked(lambda run=run: look(run))[1] if run.is_dir() else None
            clock.append({"ended": ended, "found": found})
            before, saved = saved, len(found["rows"]) if found else 0
            if saved == before:  # on a busy machine the start alone may take longer than that, every time
                longest *= 1.1
    print(json.dumps(started | {"events": events, "moments": moments, "last": last, "clock": clock, "runs": runs}))


def _events_of_an_epoch(palm, folder):
    """Return how many events one epoch has of each part: what two take more than one."""

    def count(name, epochs):
        return forked(counted(lambda: train(palm, folder / f"{name}{epochs}", epochs), PARTS[name]))[1]

    return {name: count(name, 2) - count(name, 1) for name in PARTS}


def _import_everything():
    """Import what copies of this process are to have, and not each to import."""
    import cv2  # noqa: F401
    import networks  # noqa: F401
    import paddle  # noqa: F401

    import palm_utils.training  # noqa: F401


def _seconds_of(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def interrupting(palm, folder, seed):
    """Interrupt a training at 30 moments, as Ctrl-C does, all in one process; print what was found."""
    _import_everything()
    palm, folder = Path(palm), Path(folder)
    folder.mkdir()
    started = {"whole": forked(lambda: train_noting(palm, folder / "whole"))[1]}
    events = _events_of_an_epoch(palm, folder)
    told = forked(lambda: _interrupted(palm, folder / "interrupted", events, random.Random(seed)))[1]
    print(json.dumps(started | told))


def _interrupted(palm, folder, events, chance):
    moments = []
    for number in range(30):
        name = list(PARTS)[number % 3]
        try:
            with Moment(PARTS[name], chance.randint(1, 2 * events[name]), signal.SIGINT):
                train(palm, folder)
                return {"moments": moments}  # it came to its end
        except KeyboardInterrupt:
            pass
        # The traceback has held the batches until here.
        threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("palm")]
        moments.append({"part": name, "threads": threads, "found": look(folder)})
    return {"moments": moments, "last": train(palm, folder)}


# --- data

FILES = ("files.py", "sample/__init__.py", "sample/digits.py", "sample/pictures.py", "readers.py", "write")
FILES += tuple(f"getting/{name}.py" for name in ("prepare", "find", "unpack", "tables", "download"))


def made(kind, folder, seed, number, signum):
    """Kill, or interrupt, the making of something at chosen moments; print what lay there, and lies after another try.

    kind: the name of a class below.
    """
    _import_everything()
    folder, chance, signum = Path(folder), random.Random(seed), int(signum)
    folder.mkdir()
    work = globals()[kind](folder)
    work.start(folder / "whole")
    events = forked(counted(lambda: work.make(folder / "whole"), FILES))[1]
    told = {"events": events, "whole": tree(folder / "whole"), "moments": []}
    for moment in range(int(number)):
        # Half of them where what was made takes its place.
        place, at = folder / str(moment), chance.randint(1 if moment % 2 else events - 12, events)
        work.start(place)
        ended = forked(counted(lambda place=place: work.make(place), FILES, at, signum))[0]
        found = {"at": at, "ended": ended, "left": tree(place), "is": work.state(place)}
        forked(lambda place=place: work.make(place))
        told["moments"].append(found | {"after": tree(place)})
    work.stop()
    print(json.dumps(told))


def at_once(kind, folder):
    """Let four processes make the same at the same time; print what came of it."""
    _import_everything()
    folder = Path(folder)
    folder.mkdir()
    work = globals()[kind](folder)
    for place in ("whole", "place"):
        work.start(folder / place)
    forked(lambda: work.make(folder / "whole"))
    read, write = os.pipe()
    children = []
    for _ in range(4):
        children.append(os.fork())
        if not children[-1]:
            os.close(write)
            os.read(read, 1)  # until the other end is closed
            try:
                work.make(folder / "place")
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
    os.close(write)
    told = {"ended": [os.waitpid(child, 0)[1] for child in children], "is": work.state(folder / "place")}
    work.stop()
    print(json.dumps(told | {"left": tree(folder / "place"), "whole": tree(folder / "whole")}))


def tree(folder):
    """{relative path: digest} of the files below a folder, locks left out."""
    import palm_archives

    return {name: hashlib.sha256(content).hexdigest() for name, content in palm_archives.tree(folder).items()}


class Work:
    """Something that is made in a folder: `state` is "", "old" or "new" where it is absent, as before, or made."""

    def __init__(self, folder):
        """Prepare what making it takes, outside of the places where it is made."""

    def start(self, place):
        place.mkdir()

    def stop(self):
        pass


class Sample(Work):
    """The sample; one of an earlier version lies there."""

    def start(self, place):
        import palm_archives
        import places

        from palm_utils import sample

        sample.SIZES["tiny"] = places.MICRO
        palm_archives.write(place, {"sample/tiny/README.txt": b"GENERATED SAMPLE DATA, version 1"})

    def make(self, place):
        from palm_utils import sample

        sample.sample_root(place, "tiny")

    def state(self, place):
        from palm_utils import sample

        root = place / "sample" / "tiny"
        if not root.exists():
            return ""
        return "new" if sample.is_intact(root, "tiny") else "old" if len(tree(root)) == 1 else "half"


class Prepared(Work):
    """A data set prepared anew over one, beside which its owner keeps notes."""

    def __init__(self, folder):
        import palm_archives

        self.source = palm_archives.ai_studio(folder / "source")
        self.new = palm_archives.prepared() | {"notes.txt": b"mine"}
        self.old = self.new | {"PALM-Training400/P0095.jpg": palm_archives.photograph("a")}

    def start(self, place):
        import palm_archives

        palm_archives.write(place / "palm", self.old)

    def make(self, place):
        from palm_course.getting.prepare import prepare_palm

        prepare_palm(self.source, place, expected=None, force=True)

    def state(self, place):
        import palm_archives

        found = palm_archives.tree(place / "palm")
        return "new" if found == self.new else "old" if found == self.old else "half" if found else ""


class Cache(Work):
    """Decoded photographs."""

    def __init__(self, folder):
        import cv2
        import numpy as np

        self.photographs = folder / "photographs"
        self.photographs.mkdir()
        for number in range(9):
            picture = np.full((30, 40, 3), 20 * number, np.uint8)
            assert cv2.imwrite(str(self.photographs / f"P{number}.jpg"), picture)

    def make(self, place):
        from palm_utils.readers import data_loader

        os.environ["PALM_CACHE"] = str(place)
        batches = list(data_loader(self.photographs, 4, "eval")())
        assert [len(images) for images, _ in batches] == [4, 4, 1]

    def state(self, place):
        files = [*place.glob("*.pixels")]
        is_whole = all(file.stat().st_size == 224 * 224 * 3 for file in files)
        return "half" if not is_whole else "new" if len(files) == 9 else ""


class Download(Work):
    """Two files of a server."""

    def __init__(self, folder):
        from palm_course.getting.download import Remote

        content = [bytes(range(256)) * 2000, b"labels" * 999]
        os.environ["NO_PROXY"] = "*"
        port, self.server = _serve(content)
        self.remotes = lambda place: [
            Remote(f"http://127.0.0.1:{port}/{i}", place / f"{i}.gz", "md5", hashlib.md5(data).hexdigest())
            for i, data in enumerate(content)
        ]

    def make(self, place):
        from palm_course.getting.download import download

        download(self.remotes(place))

    def state(self, place):
        there = [remote for remote in self.remotes(place) if remote.destination.exists()]
        if not all(remote.is_right(remote.destination) for remote in there):
            return "half"
        return "new" if len(there) == 2 else ""

    def stop(self):
        os.kill(self.server, signal.SIGKILL)
        os.waitpid(self.server, 0)


def _serve(content):
    """Serve /0, /1, … with ranges from a process of its own; return its port and number."""
    from http.server import ThreadingHTTPServer

    from test_getting_download import Handler, right

    class Serving(Handler):
        def do_GET(self):
            right(self, content[int(self.path[1:])])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Serving)
    server.handle_error = lambda *args: None
    # Its end tells the server that there is nobody left; nor may it hold this process's output open.
    alive, ours = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        threading.Thread(target=lambda: os.read(alive, 1) or os._exit(0), daemon=True).start()
        server.serve_forever()
    server.socket.close()
    return server.server_address[1], child
