"""tools/setup_env.py: what it decides; a real set-up is what `make test` itself runs on."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from palm_course import doctor

ROOT = Path(__file__).parent.parent
RTX = "GPU 0: NVIDIA GeForce RTX 3060 (UUID: GPU-1)"
spec = importlib.util.spec_from_file_location("setup_env", ROOT / "tools" / "setup_env.py")
setup_env = importlib.util.module_from_spec(spec)
spec.loader.exec_module(setup_env)


def make(*arguments):
    """Run make as from a shell, also when the tests themselves were started by make."""
    own = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Stands in for the driver's program: what it says to -L, and of the GPU's compute capability."""

    def install(gpus, capability="", status=0):
        tool = tmp_path / "nvidia-smi"
        answers = f"case $1 in -L) echo '{gpus}';; --query-gpu=compute_cap) echo '{capability}';; esac"
        tool.write_text(f"#!/bin/sh\n{answers}\nexit {status}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    return install


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for nvidia-smi")
def test_a_gpu_takes_the_gpu_requirements_and_says_so(nvidia_smi, capsys):
    nvidia_smi(RTX)
    assert setup_env.choose_requirements("") == "requirements-gpu.txt"
    assert "NVIDIA GPU" in capsys.readouterr().out
    assert setup_env.choose_requirements("cpu") == "requirements.txt"


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for nvidia-smi")
@pytest.mark.parametrize("capability", ["6.1", "7.5", "8.9", "", 'Field "compute_cap" is not a valid field to query.'])
def test_a_gpu_that_the_build_has_code_for_or_does_not_tell_takes_the_gpu_requirements(nvidia_smi, capability):
    nvidia_smi(RTX, capability)
    assert setup_env.choose_requirements("") == "requirements-gpu.txt"


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for nvidia-smi")
@pytest.mark.parametrize("capability", ["6.0", "9.0", "12.0"])
def test_a_gpu_that_the_build_has_no_code_for_takes_the_cpu_requirements_and_says_why(nvidia_smi, capability, capsys):
    nvidia_smi(RTX, capability)
    assert setup_env.choose_requirements("") == "requirements.txt"
    said = capsys.readouterr().out
    assert f"compute capability {capability} is here" in said and "6.1 to below 9.0 only: taking the CPU build" in said
    assert setup_env.choose_requirements("gpu") == "requirements-gpu.txt"


def test_set_up_and_doctor_know_the_same_gpus():
    assert (setup_env.GPU_BUILD_FROM, setup_env.GPU_BUILD_BELOW) == (doctor.GPU_BUILD_FROM, doctor.GPU_BUILD_BELOW)


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for nvidia-smi")
def test_a_driver_without_a_gpu_takes_the_cpu_requirements(nvidia_smi):
    nvidia_smi("No devices were found", status=6)
    assert setup_env.choose_requirements("") == "requirements.txt"
    assert setup_env.choose_requirements("gpu") == "requirements-gpu.txt"


def test_an_old_python_is_refused_with_a_way_out(monkeypatch):
    monkeypatch.setattr(setup_env.sys, "version_info", (3, 8, 18))
    monkeypatch.setattr(setup_env.shutil, "which", lambda name: "x" if name == "python3.11" else None)
    with pytest.raises(SystemExit, match=r"needs Python 3\.10 to 3\.12.*make setup PYTHON=python3\.11"):
        setup_env.check_python()


@pytest.fixture
def set_up(tmp_path, monkeypatch):
    """Run the program with these arguments; returns what pip was asked for. venv and pip are stood in for."""
    venv = tmp_path / "venv"
    calls = []

    def run(command, **options):
        assert command[1:3] == ["-m", "venv"]
        python = setup_env.venv_python(venv)
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text("")
        return subprocess.CompletedProcess(command, 0, b"", b"")

    def main(*arguments):
        calls.clear()
        monkeypatch.setattr(sys, "argv", ["setup_env.py", "--venv", str(venv), *arguments])
        assert setup_env.main() == 0
        return [Path(packages[-1]).name for packages in calls]

    monkeypatch.setattr(setup_env.subprocess, "run", run)
    monkeypatch.setattr(setup_env, "pip_install", lambda venv, packages: calls.append(packages))
    monkeypatch.setattr(setup_env, "compile_packages", lambda venv: None)
    monkeypatch.setattr(setup_env, "has_nvidia_gpu", lambda: False)
    main.venv = venv
    return main


def test_nothing_is_done_twice_and_choices_are_remembered(set_up, monkeypatch):
    assert set_up("--paddle", "gpu") == ["requirements-gpu.txt", ROOT.name]
    assert set_up("--paddle", "gpu") == set_up() == set_up("--any-python") == []
    assert set_up("--paddle", "cpu") == ["requirements.txt", ROOT.name]
    monkeypatch.setattr(setup_env, "has_nvidia_gpu", lambda: pytest.fail("asked although the choice is made"))
    assert set_up() == []


def test_locked_versions_stay_locked(set_up, monkeypatch):
    lock = setup_env.ROOT / setup_env.LOCKED
    assert set_up("--requirements", str(lock)) == ["requirements-lock.txt", ROOT.name]
    assert set_up() == []
    monkeypatch.setattr(setup_env, "fingerprint", lambda path: f"changed {path.name}")
    assert set_up() == ["requirements-lock.txt", ROOT.name]
    assert set_up("--paddle", "cpu") == ["requirements.txt", ROOT.name]


def test_another_python_makes_it_anew_unless_any_will_do(set_up, monkeypatch):
    set_up()
    monkeypatch.setattr(setup_env, "python_id", lambda: "/opt/python 3.12.1")
    assert set_up("--any-python") == []
    assert set_up() != []


def test_changed_requirements_are_installed(set_up, tmp_path):
    extra = tmp_path / "requirements-extra.txt"
    extra.write_text("six\n")
    assert set_up("--requirements", str(extra)) == ["requirements-extra.txt", ROOT.name]
    assert set_up("--requirements", str(extra)) == []
    extra.write_text("six>=1.16\n")
    assert set_up("--requirements", str(extra)) == ["requirements-extra.txt", ROOT.name]


def test_a_requirements_file_that_is_not_known_any_more_makes_it_anew(set_up, tmp_path):
    extra = tmp_path / "requirements-extra.txt"
    extra.write_text("six\n")
    set_up("--requirements", str(extra))
    assert set_up() == ["requirements.txt", ROOT.name]
    (set_up.venv / setup_env.STAMP).write_text("one\n\nthree\n")
    assert set_up() == ["requirements.txt", ROOT.name]


def test_a_folder_of_somebody_else_is_left_alone(set_up):
    set_up.venv.mkdir()
    (set_up.venv / "thesis.txt").write_text("precious")
    with pytest.raises(SystemExit, match="not made by this program"):
        set_up()
    assert (set_up.venv / "thesis.txt").read_text() == "precious"


def test_a_place_that_cannot_be_written_to_is_said_with_a_way_out(set_up, tmp_path):
    (tmp_path / "venv").write_text("in the way")
    with pytest.raises(SystemExit, match=r"venv cannot be written .*make setup VENV=FOLDER"):
        set_up()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are text there")
def test_a_folder_whose_name_is_text_in_another_encoding(set_up, tmp_path, monkeypatch):
    """As an archive packed in China unpacks on Linux: the bytes of GBK."""
    root = Path(os.fsdecode(os.fsencode(tmp_path) + "/课程".encode("gbk")))
    root.mkdir()
    for name in ("requirements.txt", "requirements-common.txt", "pyproject.toml"):
        (root / name).write_text("")
    monkeypatch.setattr(setup_env, "ROOT", root)
    monkeypatch.setattr(sys, "base_prefix", str(root))
    assert set_up() != []
    assert set_up() == []


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for Python")
def test_what_went_wrong_is_shown_in_whatever_encoding_it_comes(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_bytes(b"#!/bin/sh\nprintf '\\316\\336\\267\\250 ensurepip'\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(SystemExit, match=r"could not make a virtual environment:\n.* ensurepip\nOn Debian"):
        setup_env.make_venv(tmp_path / "venv")


def test_packages_are_compiled_even_where_python_keeps_nothing(tmp_path, monkeypatch, capfd):
    packages = tmp_path / "venv" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "good.py").write_text("x = 1")
    (packages / "template.py").write_text("class {{ name }}:")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(setup_env, "venv_python", lambda venv: Path(sys.executable))
    setup_env.compile_packages(tmp_path / "venv")
    assert [path.name.split(".")[0] for path in (packages / "__pycache__").iterdir()] == ["good"]
    assert capfd.readouterr() == ("", "")


def test_an_interrupted_set_up_is_not_taken_for_a_finished_one(set_up, monkeypatch):
    with monkeypatch.context() as no_network:
        no_network.setattr(setup_env, "pip_install", lambda venv, packages: sys.exit("no network"))
        with pytest.raises(SystemExit):
            set_up()
    assert set_up() != []
    assert set_up() == []


def test_a_wrong_build_is_refused():
    with pytest.raises(SystemExit, match="PADDLE is 'tpu'"):
        setup_env.choose_requirements("tpu")


def test_an_old_python_can_read_the_program_far_enough_to_be_told():
    ast.parse((ROOT / "tools" / "setup_env.py").read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.skipif(os.name == "nt", reason="make")
def test_an_environment_may_lie_under_a_path_with_a_space(tmp_path):
    """`make test-matrix` has it in a clone under such a path, and whoever names VENV for a read-only clone."""
    venv = tmp_path / "my environments" / "venv"
    venv.parent.mkdir()
    venv.symlink_to(sys.prefix)
    done = make("progress", "CH=01", f"VENV={venv}", "READY=1")
    assert done.returncode == 0 and "1.1" in done.stdout, done.stderr
    # READY is said each time: `make test READY=1` hands it down to the makes of its tests.
    for target, ready, part in (
        ("setup", "", f'--venv "{venv}"'),
        ("test", "1", f'"{venv}/bin/python" -m pytest'),
        ("lint", "1", f'"{venv}/bin/ruff"'),
    ):
        assert part in make("-n", target, f"VENV={venv}", f"READY={ready}").stdout


@pytest.mark.skipif(os.name == "nt", reason="make")
def test_make_help_lists_every_target_with_one_line():
    out = make("help").stdout
    listed = {line.split()[1] for line in out.splitlines()}
    phony = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:"))
    assert listed == set(phony.split()[1:])
    assert all(len(line.split()) > 2 for line in out.splitlines())


@pytest.mark.skipif(os.name == "nt", reason="make")
@pytest.mark.parametrize(
    ("chapter", "expected"), [("", "notebooks"), ("02", "02_ichallenge_pm"), ("01 02", "01_lenet")]
)
def test_one_chapter_can_be_tested_alone(chapter, expected):
    assert expected in make("-n", "test-notebooks", f"CH={chapter}", "READY=1").stdout.splitlines()[-1]


@pytest.mark.skipif(os.name == "nt", reason="make")
def test_a_chapter_that_is_not_there_is_an_error():
    failed = make("-n", "test-notebooks", "CH=99", "READY=1")
    assert failed.returncode and "no chapter starts with 99" in failed.stderr
