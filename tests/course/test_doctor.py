import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from palm_course import doctor
from palm_course.command import main


def status_of(lines, what):
    return {name: status for status, name, _ in lines}[what]


@pytest.mark.parametrize(
    ("version", "status"), [((3, 9, 1), "FAIL"), ((3, 10, 0), "OK"), ((3, 12, 9), "OK"), ((3, 13, 0), "WARN")]
)
def test_python_versions(version, status):
    assert doctor.check_python(version)[0] == status


def test_a_package_outside_its_bounds_and_one_that_is_missing(monkeypatch):
    real = doctor.metadata.version

    def version(name):
        if name == "tqdm":
            return "3.0"
        if name == "openpyxl":
            raise doctor.metadata.PackageNotFoundError
        return real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    lines = list(doctor.check_packages())
    assert status_of(lines, "tqdm") == "WARN" and status_of(lines, "openpyxl") == "FAIL"
    assert status_of(lines, "matplotlib") == "OK"


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
    lines = list(doctor.check_paddle())
    assert status_of(lines, "device") == status
    if status == "FAIL":
        assert f"no code for H100 (compute capability {capability[0]}.{capability[1]})" in str(lines)
        assert "PADDLE=cpu" in str(lines)


def test_little_space_is_a_warning_with_its_remedy(monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage(0, 0, 64 * 2**20))
    assert doctor.check_space("/dev/shm", Path.cwd(), 256 * 2**20, "use --shm-size=1g") == (
        "WARN", "/dev/shm", "0.1 GiB free; use --shm-size=1g",
    )  # fmt: skip


def test_data_that_is_there_but_unusable_fails_and_the_command_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("PALM_SAMPLE", raising=False)
    (tmp_path / "palm" / "PALM-Training400").mkdir(parents=True)
    (tmp_path / "palm" / "PALM-Training400" / "P0001.jpg").write_bytes(b"x")
    monkeypatch.setenv("PALM_DATA", str(tmp_path))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("FAIL")] != []
    assert "labels.csv" in out


def test_real_data_is_ok_and_absent_data_a_warning(palm_folder, monkeypatch):
    monkeypatch.delenv("PALM_SAMPLE", raising=False)
    monkeypatch.setenv("PALM_DATA", str(palm_folder.parent))
    monkeypatch.setenv("HOME", str(palm_folder))  # no download cache there
    lines = list(doctor.check_data())
    assert status_of(lines, "data: palm") == "OK"
    assert status_of(lines, "data: mnist") == status_of(lines, "data: cifar10") == "WARN"


def test_the_first_line_comes_before_paddle_is_imported():
    code = (
        "import sys; from palm_course import doctor; print(next(doctor.lines())[1]);"
        "print('paddle' in sys.modules, 'cv2' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["Python", "False", "False"]


def test_it_runs_where_nothing_is_installed():
    # -S leaves site-packages out: a Python on which no set-up was made.
    command = [sys.executable, "-S", "-m", "palm_utils", "doctor"]
    run = subprocess.run(command, cwd=Path(doctor.__file__).parents[1], capture_output=True, text=True)
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert run.stdout.startswith("OK    Python") and "FAIL  paddle" in run.stdout


# --- the command


def test_an_error_is_one_line_on_stderr_and_exit_status_1(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("PALM_SAMPLE", raising=False)
    monkeypatch.setenv("PALM_DATA", str(tmp_path / "nowhere"))
    assert main(["data"]) == 1
    captured = capsys.readouterr()
    assert "PALM_DATA" in captured.out + captured.err
    assert "Traceback" not in captured.out + captured.err


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    out = capsys.readouterr().out
    assert all(command in out for command in ("data", "run", "train", "doctor"))
