"""Whole set-ups and chapters in the places in which students put them."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import palm_archives
import places
import pytest

from palm_utils import sample

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the surroundings are made with Unix commands")

TINY = {"PALM_SAMPLE": "tiny", "PALM_EPOCHS": "1", "PALM_LANG": "en"}


def within(*commands):
    """Return the start of a command that runs in namespaces of its own, in which these commands were run first."""
    start = ["unshare", "--net", "--mount", "sh", "-ec"]
    try:
        subprocess.run([*start, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only Linux, and root there, can make such surroundings")
    # No network but the machine itself, over which Jupyter talks to its kernels.
    return [*start, "; ".join(["ip link set lo up", *commands, 'exec "$@"']), "sh"]


def one_core():
    if not shutil.which("taskset"):
        pytest.skip("taskset is not here")
    return ["taskset", "--cpu-list", "0"]


@pytest.fixture
def clone(tmp_path):
    """A copy of the checkout, its notebooks included, in a folder whose path has spaces and Chinese characters."""
    return places.clone(tmp_path / places.ODD / "clone", notebooks=True)


@pytest.fixture
def closed_home(tmp_path):
    home = palm_archives.write(tmp_path / "home", {"notes.txt": b""})
    yield places.read_only(home)
    assert [path.name for path in home.iterdir()] == ["notes.txt"]


@pytest.fixture(scope="session")
def german(tmp_path_factory):
    """Environment variables of a locale with a decimal comma."""
    folder = tmp_path_factory.mktemp("locales")
    command = ["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("localedef, or its description of de_DE, is not here")
    return {"LOCPATH": folder, "LC_ALL": "de_DE.UTF-8"}


def make(*arguments, clone, before=(), check=True, **options):
    """Run make in a clone with this environment's packages, as `places.run` runs Python."""
    script = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    own = dict.fromkeys(("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"))
    variables = {"PYTHONPATH": clone} | own | options
    return places.run("-c", script, *make_command(*arguments), cwd=clone, before=before, check=check, **variables)


def make_command(*arguments):
    """Return the command that runs make with this environment's packages, which is not set up again."""
    return ["make", f"VENV={sys.prefix}", "READY=1", *arguments]


def executed(clone, chapter):
    (book,) = (clone / "build" / "notebooks").glob(f"{chapter}_*.ipynb")
    return not book.name.endswith(".failed.ipynb")


def test_a_chapter_without_home_language_and_network_on_one_core(clone):
    language = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": None, "TZ": "Pacific/Kiritimati"}
    options = TINY | language | {"HOME": None, "PYTHONPATH": clone}
    places.run("-m", "palm_utils", "run", "02", cwd=clone, before=[*one_core(), *within()], **options)
    assert executed(clone, "02")


def test_a_chapter_with_docker_s_shared_memory_a_decimal_comma_and_a_closed_home(clone, closed_home, german):
    before = [*within("mount -t tmpfs -o size=64m tmpfs /dev/shm"), *places.ordinary_user()]
    (clone.parent / "tmp").mkdir()
    make("run", "CH=07", clone=clone, before=before, home=closed_home, TMPDIR=clone.parent / "tmp", **TINY, **german)
    assert executed(clone, "07")


def test_chapters_beside_a_clone_that_cannot_be_written_to(clone, tmp_path):
    """As where one clone serves all students, who work on their own copies of the notebooks."""
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    shutil.copy(next((clone / "notebooks").glob("02_*")), tmp_path / "work" / "02.ipynb")
    places.read_only(clone)
    before = sorted(clone.rglob("*"))
    command = ["-m", "jupyter", "execute", "--timeout=900", "02.ipynb"]
    options = {"before": places.ordinary_user(), "cwd": tmp_path / "work", "home": tmp_path / "home"}
    places.run(*command, **options, **TINY, PYTHONPATH=clone)
    assert list((tmp_path / "work").rglob("*.pdparams"))
    assert sorted(clone.rglob("*")) == before


def test_a_decimal_comma(tmp_path, german, monkeypatch):
    monkeypatch.setitem(sample.SIZES, "tiny", places.MICRO)
    out = places.everything_elsewhere(tmp_path / "comma", **german)
    assert out["decimal"] == ","
    assert out["digest"] == places.everything(tmp_path / "plain")


def test_a_folder_whose_name_is_text_in_another_encoding(tmp_path):
    """As an archive packed in China unpacks on Linux: the bytes of GBK."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + "/课程".encode("gbk")))
    clone = places.clone(folder / "clone", notebooks=True)
    for command in (["data", "sample"], ["data"], ["run", "08"]):
        places.run("-m", "palm_utils", *command, cwd=clone, PYTHONPATH=clone, **TINY)
    assert executed(clone, "08")


# --- a full disk


FULL = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
import palm_archives, places
from palm_utils import sample
from palm_course.getting.prepare import prepare_palm
from palm_utils.messages import CourseError
from palm_utils.readers import data_loader

disk, source = Path({disk!r}), Path({source!r})
for make in (lambda: sample.sample_root(disk, "tiny"), lambda: prepare_palm(source, disk / "data", expected=None)):
    try:
        make()
    except CourseError as error:
        print(error)
print("epoch of", sum(len(images) for images, _ in data_loader(source / "PALM-Training400")()))
print("left:", sorted(path.name for path in disk.rglob("*") if path.is_file()))
"""


@pytest.mark.parametrize("inodes", ["0", "6"], ids=["no room", "no room for another file"])
def test_a_disk_that_fills_up(tmp_path, inodes):
    disk = tmp_path / "disk"
    disk.mkdir()
    source = sample.sample_root(tmp_path / "sample", "tiny") / "palm"
    shutil.copytree(source, tmp_path / "source")
    before = within(f"mount -t tmpfs -o size=300k,nr_inodes={inodes} tmpfs '{disk}'")
    script = FULL.format(tests=str(places.ROOT / "tests"), disk=str(disk), source=str(tmp_path / "source"))
    out = places.run("-c", textwrap.dedent(script), before=before, PALM_CACHE=disk / "cache", **TINY)
    lines = out.splitlines()
    assert any("sample data cannot be written to" in line and "No space left on device" in line for line in lines), out
    assert any(line.startswith("The disk is full:") and "palm was not prepared" in line for line in lines), out
    assert "Decoded photographs cannot be kept in" in out and "epoch of 14" in lines
    (left,) = (line for line in lines if line.startswith("left:"))
    assert ".part" not in left.replace(".lock", "") and ".jpg" not in left


# --- set-up


def set_up(clone, *arguments, before=(), **options):
    return places.run("tools/setup_env.py", *arguments, cwd=clone, before=before, PYTHONPATH=None, **options)


def test_a_whole_set_up(clone, tmp_path):
    (tmp_path / "home").mkdir()
    language = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": None, "TZ": "Pacific/Kiritimati"}
    out = set_up(clone, "--paddle", "cpu", home=tmp_path / "home", check=False, **language)
    if "could not install" in out:
        pytest.skip("PyPI cannot be reached")
    assert "Set up." in out
    assert set_up(clone, home=tmp_path / "home", **language) == ""
    script = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    for task in (["doctor"], ["test-notebooks", "CH=01"]):
        options = {"home": tmp_path / "home", "PYTHONPATH": None, **TINY, **language}
        places.run("-c", script, "make", *task, f"PYTHON={sys.executable}", cwd=clone, **options)
    shutil.rmtree(clone / ".venv")  # two gigabytes, which pytest would keep


def test_a_set_up_without_network_says_what_to_do(clone, tmp_path):
    (tmp_path / "home").mkdir()
    pypi = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": None, "PIP_INDEX_URL": None, "PIP_EXTRA_INDEX_URL": None}
    options = {"home": tmp_path / "home", "PIP_RETRIES": "1", **pypi}
    out = set_up(clone, before=within(), check=False, **options)
    assert "pip could not install the packages" in out and "pip config set global.index-url ADDRESS" in out


def test_a_set_up_in_a_clone_that_cannot_be_written_to_says_what_to_do(clone):
    places.read_only(clone)
    out = set_up(clone, before=places.ordinary_user(), check=False)
    assert ".venv cannot be written" in out and "make setup VENV=FOLDER" in out


# --- training where nothing can be saved


def trained(folder, before, *, tmp_path):
    options = TINY | {"PALM_CACHE": tmp_path / "cache", "PYTHONPATH": places.ROOT}
    command = ["-m", "palm_utils", "train", "02:LeNetReLU", "--epochs", "2", "--folder", folder]
    return places.run(*command, before=before, check=False, cwd=tmp_path, **options)


@pytest.mark.parametrize(("size", "lines"), [("100m", 0), ("200m", 1)], ids=["no room", "no room for all"])
def test_training_on_a_disk_that_is_too_small(tmp_path, size, lines):
    disk = tmp_path / "disk"
    disk.mkdir()
    out = trained(disk / "run", within(f"mount -t tmpfs -o size={size} tmpfs '{disk}'"), tmp_path=tmp_path)
    assert out.count("[validation]") == lines, out
    assert f"NotSaved: Training cannot be saved in {disk / 'run'}" in out and "Make room on that disk" in out
    assert ("MB are needed" in out) == (lines == 0) and ("The epoch that has just ended is in" in out) == bool(lines)
    assert "What was saved before" not in out


def test_training_in_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "closed").mkdir()
    places.read_only(tmp_path / "closed")
    out = trained(tmp_path / "closed" / "run", places.ordinary_user(), tmp_path=tmp_path)
    assert "[validation]" not in out
    assert "Permission denied). Make that folder writable, or name another (folder=, save_dir= or --folder)." in out
