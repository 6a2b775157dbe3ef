"""Commands run as on other machines: a user without rights to everything, another environment, folders of odd names."""

import hashlib
import locale
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import palm_archives
import pytest

from palm_course.getting.prepare import prepare_palm
from palm_course.getting.tables import read_labels, write_labels
from palm_utils import sample
from palm_utils.readers import data_loader, valid_data_loader

ROOT = Path(__file__).resolve().parents[1]
# A space, and characters that are two bytes in GBK and three in UTF-8.
ODD = Path("my course", "课程", "张三")
MICRO = sample.Size(1, 1, 1, 3, (20, 10), (20, 10), seconds=1)


def ordinary_user() -> list[str]:
    """Return the start of a command that runs as a user whom permissions stop, which root is not."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root may write everywhere, and setpriv, which takes that right away, is not here")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def clone(folder, *, notebooks=False, tests=False):
    """Copy the checkout's packages, with its notebooks and tests where they are needed; return the copy."""
    folder.mkdir(parents=True)
    names = ["palm_utils", "palm_course", "tools", "results", "course.py", "conftest.py", "pyproject.toml", "Makefile"]
    names += ["README.md", *(path.name for path in ROOT.glob("requirements*.txt"))]
    names += ["tests"] if tests else []
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "hard"))
        else:
            shutil.copy(source, folder / name)
    (folder / "data").mkdir()
    (folder / "notebooks").mkdir()
    if notebooks:
        for path in (ROOT / "notebooks").glob("0?_*.ipynb"):
            shutil.copy(path, folder / "notebooks" / path.name)
    return folder


def read_only(folder):
    """Take the right to write from a folder and everything in it."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    return folder


def run(*command, cwd=None, home=None, before=(), check=True, **variables):
    """Run a command of this environment's Python; return what it printed. A variable that is None is not set.

    before: what stands before the command, such as `ordinary_user()`.
    """
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PALM_THREADS": "1"}
    environment |= {} if home is None else {"HOME": str(home), "XDG_CACHE_HOME": "", "PALM_CACHE": ""}
    environment = {name: str(value) for name, value in (environment | variables).items() if value is not None}
    command = [*before, sys.executable, *map(str, command)]
    text = {"encoding": "utf-8", "errors": "replace"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, **text)
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def everything(folder):
    """Make a sample below `folder`, read an epoch of it and prepare it as a data set; return a digest of all of it.

    The sample is 'tiny', which the caller has made MICRO.
    """
    root = sample.sample_root(folder, "tiny")
    files = {name: content for name, content in palm_archives.tree(root).items() if name != "README.txt"}
    palm = root / "palm"
    epochs = [data_loader(palm / "PALM-Training400", 2, "eval")]
    epochs.append(valid_data_loader(palm / "PALM-Validation400", palm / "labels.csv", 2))
    batches = [array.tobytes() for reader in epochs for batch in reader() for array in batch]
    palm_archives.write(folder / "source", {name[5:]: files[name] for name in files if name.startswith("palm/")})
    prepared, _ = prepare_palm(folder / "source", folder / "data", expected=None)
    labels = [f"{row.name} {row.label}".encode() for row in read_labels(prepared.CSVFILE)]
    write_labels(folder / "out.csv", [("V1.jpg", 1)], {"V1.jpg": (1234.5, 0.25)})
    digest = hashlib.sha256()
    for content in (*files.values(), *batches, *labels, (folder / "out.csv").read_bytes(), str(prepared).encode()):
        digest.update(content)
    return digest.hexdigest()


def everything_elsewhere(folder, **variables):
    """Do `everything` in another process with these environment variables; also says its encoding and time zone."""
    folder.mkdir(parents=True)
    script = "import sys; sys.path[:0] = sys.argv[1:]; import places; places.main()"
    # What is printed is ASCII; the folder is not named. A script with a folder's name in it need not be.
    found = run("-c", script, ROOT / "tests", cwd=folder, **variables).split("\n")
    return dict(line.split(": ") for line in found if line.startswith(("zone", "encoding", "decimal", "digest")))


def main():
    sample.SIZES["tiny"] = MICRO
    locale.setlocale(locale.LC_ALL, "")
    print("zone:", time.strftime("%z"))
    print("encoding:", sys.getfilesystemencoding())
    print("decimal:", locale.localeconv()["decimal_point"])
    # A terminal without "…" is a matter of the command, which replaces what cannot be shown.
    sys.stdout.reconfigure(errors="replace")
    print("digest:", everything(Path.cwd() / "data"))
