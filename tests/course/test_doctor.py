import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from palm_course import doctor
from palm_course.command import main

PYTHONS = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"))


def told(lines, what):
    """The one line about this, as the command prints it."""
    (line,) = (f"{status} {found}" for status, name, found in lines if name == what)
    return line


@pytest.mark.parametrize(("minor", "status"), [(9, "FAIL"), (10, "OK"), (12, "OK"), (13, "OK"), (14, "FAIL")])
def test_python_versions(minor, status):
    assert told(doctor.check_python((3, minor, 1)), "Python").startswith(status)


@pytest.fixture
def packages(monkeypatch):
    """Let these distributions, and all the others that the course needs, be installed and imported without a fault."""

    def install(versions, imports=None, *, set_up=True):
        needed = doctor.installed.read(doctor._ROOT / "requirements-common.txt")
        found = {one.name: next(iter(one.specifier)).version for one in needed} | versions
        there = {name: SimpleNamespace(version=version) for name, version in found.items() if version}
        monkeypatch.setattr(doctor.installed, "distributions", lambda: there)
        files = dict.fromkeys(map(doctor.installed.module_of, [*found, "palm-utils", "paddlepaddle"]), ("", ""))
        monkeypatch.setattr(doctor, "imported", lambda modules: files | (imports or {}))
        monkeypatch.setattr(doctor.supported, "STARTED", "bin" if set_up else "nowhere")

    return install


def test_packages_outside_their_bounds_missing_and_from_elsewhere(packages):
    foreign = {"tqdm": ("/foreign/tqdm/__init__.py", "")}
    packages({"numpy": "2.9", "openpyxl": None, "tqdm": "4.70", "matplotlib": "3.9"}, foreign)
    lines = list(doctor.check_packages())
    assert re.match("WARN .*tested with", told(lines, "numpy"))
    assert re.match("FAIL .*python course.py setup", told(lines, "openpyxl"))
    assert re.match("WARN .*PYTHONPATH", told(lines, "tqdm"))
    assert told(lines, "matplotlib").startswith("OK")


def test_a_package_that_is_there_and_cannot_be_imported(packages):
    packages({}, {"cv2": ("", "ModuleNotFoundError: No module named 'cv2'"), "palm_utils": ("", "no")}, set_up=False)
    lines = list(doctor.check_packages())
    assert told(lines, "palm_utils").startswith("FAIL")
    remedy = '-m pip install --force-reinstall --no-deps "opencv-python-headless'  # in an environment of one's own
    assert re.match(f"FAIL .*No module named 'cv2'.*{remedy}", told(lines, "opencv-python-headless"))


def test_two_packages_in_one_place(packages):
    packages({"opencv-python": "4.12", "paddlepaddle": "3.3.1", "paddle": "1.2"}, set_up=False)
    lines = [*doctor.check_packages(), *doctor.check_paddle()]
    assert re.match("WARN .*pip uninstall -y opencv-python`", told(lines, "opencv-python-headless"))
    assert re.match("FAIL .*nothing to do with PaddlePaddle.*pip uninstall -y paddle`", told(lines, "paddle"))


def test_where_nothing_was_set_up_one_line_says_so(packages):
    needed = doctor.installed.read(doctor._ROOT / "requirements-common.txt")
    packages({one.name: None for one in needed})
    (line,) = doctor.check_packages()
    assert line[0] == "FAIL" and f"{len(needed)} are not installed" in line[2]


def test_an_import_that_ends_python_is_told_and_the_others_follow(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "crashing.py").write_text("import os; os._exit(9)")
    (tmp_path / "notebooks" / "leaving.py").write_text("print('news'); raise SystemExit('no licence')")
    monkeypatch.setattr(doctor, "_ROOT", tmp_path)
    found = doctor.imported(["json", "crashing", "leaving", "zipfile"])
    assert [bool(error) for _, error in found.values()] == [False, True, True, False]
    assert "status 9" in found["crashing"][1] and found["leaving"][1] == "SystemExit: no licence"
    assert found["json"][0].endswith("__init__.py")


@pytest.mark.parametrize("error", [ValueError("damaged"), SystemExit(3), RecursionError()])
def test_whatever_a_check_raises_is_its_line_and_the_rest_follows(error, monkeypatch):
    def check(*args):
        raise error

    for name in ("check_packages", "check_paddle", "check_data", "check_memory", "check_disk"):
        monkeypatch.setattr(doctor, name, check)
    lines = list(doctor.lines())
    assert [status for status, _, _ in lines] == ["OK", *["FAIL"] * 7]
    assert all(type(error).__name__ in found for _, _, found in lines[1:])


def test_data_that_is_real_absent_or_unusable(palm_folder, real_data, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(palm_folder))  # no download cache there
    monkeypatch.setattr(doctor, "check_packages", list)
    monkeypatch.setattr(doctor, "check_paddle", list)
    lines = list(doctor.lines())
    assert told(lines, "data: palm").startswith("OK")
    assert told(lines, "data: mnist").startswith("WARN") and told(lines, "data: cifar10").startswith("WARN")
    (palm_folder / "labels.csv").write_bytes(b"PK\x03\x04 not a table")
    assert told(doctor.lines(), "data: palm").startswith("FAIL")
    (palm_folder / "labels.csv").unlink()
    capsys.readouterr()
    assert main(["doctor"]) == 1
    assert re.search("^FAIL .*labels.csv", capsys.readouterr().out, re.M)


@pytest.mark.parametrize(("free", "status"), [(2, "WARN"), (6, "OK")])
def test_memory(free, status, monkeypatch):
    import psutil

    memory = SimpleNamespace(available=free * 2**30, total=8 * 2**30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(Path, "exists", lambda path: False)  # no container's limit
    (line,) = doctor.check_memory()
    assert line[0] == status and f"{free}.0 of 8.0 GiB free" in line[2] and ("VGG" in line[2]) == (status == "WARN")


@pytest.mark.parametrize(
    ("version", "capability", "status"),
    [("2.6.2", (8, 6), "OK"), ("2.6.2", (9, 0), "FAIL"), ("2.6.2", (6, 0), "FAIL"), ("3.3.1", (9, 0), "OK")],
)
def test_a_gpu_that_paddlepaddle_has_no_code_for(version, capability, status, monkeypatch):
    import paddle

    monkeypatch.setattr(paddle, "__version__", version)
    monkeypatch.setattr(paddle.device, "is_compiled_with_cuda", lambda: True)
    for name, value in (("device_count", 1), ("get_device_name", "H100"), ("get_device_capability", capability)):
        monkeypatch.setattr(paddle.device.cuda, name, lambda *args, value=value: value)
    monkeypatch.setattr(doctor, "imported", lambda modules: {"paddle": (paddle.__file__, "")})
    line = told(doctor.check_paddle(), "device")
    shown = r"compute capability {}\.{}".format(*capability)
    assert re.match(rf"FAIL .*no code for H100 \({shown}\).*--paddle cpu" if status == "FAIL" else status, line)


def test_little_space_is_a_warning_with_its_remedy(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=64 * 2**20))
    found = doctor.check_space("/dev/shm", Path.cwd(), 256 * 2**20, "use --shm-size=1g")
    assert found == ("WARN", "/dev/shm", "0.1 GiB free; use --shm-size=1g")


@pytest.mark.parametrize("python", [Path(sys.executable), *PYTHONS], ids=str)
def test_it_runs_where_nothing_is_installed(python):
    version = subprocess.run([python, "-c", "import sys; print(sys.version_info >= (3, 8))"], capture_output=True)
    if version.stdout.strip() != b"True":
        pytest.skip("the doctor needs Python 3.8")
    # -S leaves site-packages out: a Python on which no set-up was made.
    command = [python, "-S", "-m", "palm_utils", "doctor"]
    run = subprocess.run(command, cwd=Path(doctor.__file__).parents[1], capture_output=True, text=True)
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert "Python " in run.stdout.splitlines()[0] and "FAIL  paddle" in run.stdout and "free disk" in run.stdout
    command[-1:] = ["data", "palm"]
    run = subprocess.run(command, cwd=Path(doctor.__file__).parents[1], capture_output=True, text=True)
    assert run.returncode == 1 and run.stderr.endswith("Run: python course.py data palm\n"), run.stderr
