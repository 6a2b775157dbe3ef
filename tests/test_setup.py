"""tools/setup_env.py and course.py: what they decide; a real set-up is what `make test` itself runs on."""

import ast
import importlib
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from palm_course import installed, supported
from palm_course.command import COMMANDS

ROOT = Path(__file__).parent.parent
RTX = "GPU 0: NVIDIA GeForce RTX 3060 (UUID: GPU-1)"
NO_CODE = "capability {} is here, .* 6.1 to below 9.0 only: taking the CPU build"
WHOLE = {"missing": [], "damaged": [], "rivals": [], "broken": {}}
sys.path += [str(ROOT), str(ROOT / "tools")]
setup_env = importlib.import_module("setup_env")
TASKS = list(importlib.import_module("course").TASKS)
shell = pytest.mark.skipif(os.name == "nt", reason="shell scripts stand in for programs, or make is used")


def program(folder, name, script):
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


# --- which Python and which PaddlePaddle


@shell
@pytest.mark.parametrize(
    ("gpus", "capability", "minor", "chosen", "said"),
    [
        *[(RTX, told, 12, "requirements-gpu.txt", "NVIDIA GPU") for told in ("6.1", "7.5", "8.9", "", "no such field")],
        *[(RTX, told, 12, "requirements.txt", NO_CODE.format(told)) for told in ("6.0", "9.0", "12.0")],
        (RTX, "8.6", 13, "requirements.txt", "no GPU package for a Python newer than 3.12"),
        ("No devices were found", "", 12, "requirements.txt", ""),
    ],
)
def test_the_gpu_decides_on_the_build(gpus, capability, minor, chosen, said, tmp_path, monkeypatch, capsys):
    answers = f"case $1 in -L) echo '{gpus}';; --query-gpu=compute_cap) echo '{capability}';; esac"
    program(tmp_path, "nvidia-smi", f"{answers}\nexit {0 if gpus == RTX else 6}")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(sys, "version_info", (3, minor, 1))
    assert setup_env.choose_requirements("") == chosen
    assert re.search(said, capsys.readouterr().out)
    asked = [setup_env.choose_requirements(build) for build in ("cpu", "gpu")]
    assert asked == ["requirements.txt", "requirements-gpu.txt"]


@pytest.mark.parametrize(
    ("machine", "minor", "build", "reason"),
    [
        *[("linux x86_64", minor, "cpu", "") for minor in (10, 13)],
        *[("darwin aarch64", 13, "cpu", ""), ("win32 x86_64", 12, "gpu", ""), ("linux aarch64", 12, "cpu", "")],
        ("linux x86_64", 9, "cpu", "The course needs Python 3.10 to 3.13; .* is 3.9"),
        ("linux x86_64", 14, "cpu", "no CPU package for a Python newer than 3.13; .* is 3.14"),
        ("linux x86_64", 13, "gpu", "no GPU package for a Python newer than 3.12; .* is 3.13"),
        ("win32 arm64", 12, "cpu", "no CPU package for win32 on arm64"),
        ("darwin aarch64", 12, "gpu", "no GPU package for darwin on aarch64"),
        ("linux 32-bit", 12, "cpu", "no CPU package for linux on 32-bit"),
    ],
)
def test_what_paddlepaddle_has_no_package_for_is_told_at_once(machine, minor, build, reason, monkeypatch):
    monkeypatch.setattr(supported, "machine", lambda: tuple(machine.split()))
    monkeypatch.setattr(supported.platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(sys, "version_info", (3, minor, 1))
    monkeypatch.setattr(supported, "other_python", lambda build: None)
    with pytest.raises(SystemExit, match=reason) if reason else nullcontext():
        setup_env.check_python(build)


@shell
def test_another_python_is_named_once_it_has_run(tmp_path, monkeypatch):
    """pyenv's shims have the name of a Python and run none."""
    shims, real = tmp_path / "shims", tmp_path / "real"
    program(shims, "python3.13", "echo 'command not found' >&2; exit 127")
    program(real, "python3.11", f'exec "{sys.executable}" "$@"')
    monkeypatch.setenv("PATH", f"{shims}{os.pathsep}{real}")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert supported.other_python() == sys.executable
    named = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    assert f"python course.py setup --python {named}" in supported.remedy()
    (real / "python3.11").unlink()
    assert supported.other_python() is None
    assert "uv python install 3.12" in supported.remedy()


def test_an_old_python_can_read_the_programs_far_enough_to_be_told():
    for name in ("course.py", "tools/setup_env.py", "palm_course/supported.py", "palm_course/__init__.py"):
        ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 6))


# --- what is done: venv, pip and what is installed are stood in for


@pytest.fixture
def set_up(tmp_path, monkeypatch):
    """Run the program with these arguments; returns what pip was asked for. `state` is what is found installed."""

    def main(*arguments):
        main.calls.clear()
        monkeypatch.setattr(sys, "argv", ["setup_env.py", "--venv", str(main.venv), *arguments])
        setup_env.main()
        return [*main.calls]

    def run(command, **options):
        assert command[1:3] == ["-m", "venv"]
        return SimpleNamespace(returncode=0)

    def look_at(venv, requirements, *options):
        return None if main.gone else {key: value for key, value in main.state.items() if key != "broken" or options}

    def pip(venv, words):
        main.calls.append(f"{words[0]} {Path(words[-1]).name}")
        main.state.update(WHOLE if main.mends else {})

    main.venv, main.state, main.gone, main.mends, main.calls = tmp_path / "venv", dict(WHOLE), False, True, []
    monkeypatch.setattr(setup_env.subprocess, "run", run)
    monkeypatch.setattr(setup_env, "look_at", look_at)
    monkeypatch.setattr(setup_env, "pip", pip)
    monkeypatch.setattr(setup_env, "compile_packages", lambda venv: None)
    monkeypatch.setattr(supported, "has_nvidia_gpu", lambda: False)
    return main


EDITABLE = f"install {ROOT.name}"
ANEW = ["install requirements.txt", EDITABLE]


def test_nothing_is_done_twice_and_choices_are_remembered(set_up, monkeypatch):
    monkeypatch.setattr(supported, "NEWEST_FOR_GPU", supported.NEWEST)  # whatever Python runs this
    assert set_up("--paddle", "gpu") == ["install requirements-gpu.txt", EDITABLE]
    assert set_up("--paddle", "gpu") == set_up() == set_up("--any-python") == []
    assert set_up("--paddle", "cpu") == ANEW
    with pytest.raises(SystemExit, match="PADDLE is 'tpu'"):
        set_up("--paddle", "tpu")
    monkeypatch.setattr(supported, "has_nvidia_gpu", lambda: pytest.fail("asked although the choice is made"))
    assert set_up() == []
    (set_up.venv / "kept").write_text("")
    set_up.state["missing"] = ["numpy"]  # of another version than the one locked
    assert set_up("--requirements", str(ROOT / "requirements-lock.txt")) == ["install requirements-lock.txt"]
    assert set_up() == [] and (set_up.venv / "kept").exists()
    assert set_up("--requirements", "requirements-extra.txt") == set_up() == []  # all of the course's is there
    (set_up.venv / setup_env.STAMP).write_text("one\n\nthree\n")
    monkeypatch.setattr(supported, "has_nvidia_gpu", lambda: False)
    assert set_up() == ANEW


def test_another_python_makes_it_anew_unless_any_will_do_and_so_does_one_that_cannot_be_started(set_up, monkeypatch):
    set_up()
    monkeypatch.setattr(setup_env, "python_id", lambda: "/opt/python 3.12.1")
    assert set_up("--any-python") == []
    assert set_up() == ANEW
    set_up.gone = True
    with pytest.raises(SystemExit, match="not usable"):  # that is what is found afterwards, too
        set_up("--any-python")
    assert set_up.calls == ANEW


def test_a_new_version_of_the_course_keeps_the_environment_of_the_last(set_up, monkeypatch):
    """Commit e086845 wrote three lines, the last of them a digest of everything that there was to install."""
    set_up()
    (set_up.venv / "kept").write_text("")
    old = f"{setup_env.python_id()}\nrequirements.txt\n{'a8' * 32}\n"
    (set_up.venv / setup_env.STAMP).write_text(old)
    assert set_up() == [EDITABLE] and set_up() == []
    monkeypatch.setattr(setup_env, "fingerprint", lambda: "another pyproject.toml")
    assert set_up() == [EDITABLE] and set_up() == []
    assert (set_up.venv / "kept").exists()


@pytest.mark.parametrize(
    ("state", "calls"),
    [
        ({"missing": ["openpyxl"]}, ["install requirements.txt"]),
        ({"missing": ["palm-utils"]}, [EDITABLE]),
        ({"damaged": ["palm-utils==0.1.0"]}, [EDITABLE]),
        ({"damaged": ["numpy==2.3.5"]}, ["install numpy==2.3.5", "install requirements.txt"]),
        (
            {"damaged": ["opencv-python-headless==5.0"], "rivals": ["opencv-python"]},
            ["uninstall opencv-python", "install opencv-python-headless==5.0", "install requirements.txt"],
        ),
    ],
)
def test_what_is_missing_damaged_or_in_the_way_is_mended(set_up, state, calls):
    set_up()
    set_up.state.update(state)
    assert set_up() == calls and set_up() == []


def test_a_set_up_is_finished_only_once_all_is_well(set_up, monkeypatch):
    with monkeypatch.context() as no_network:
        no_network.setattr(setup_env, "pip", lambda venv, words: sys.exit("no network"))
        with pytest.raises(SystemExit, match="no network"):
            set_up()
    assert set_up() == ANEW and set_up() == []
    for what, found in (("missing", ["numpy"]), ("broken", {"paddle": "ImportError: libgomp.so.1: cannot open"})):
        set_up.mends, set_up.state[what] = False, found
        with pytest.raises(SystemExit, match=f"not usable: .*{what}") as left:
            set_up()
    assert "apt install libgomp1" in str(left.value)
    set_up.mends, set_up.state["missing"], set_up.state["broken"] = True, [], {}
    assert set_up() == [EDITABLE] and set_up() == []


def test_what_is_in_the_place_of_the_environment_is_left_alone(set_up):
    set_up.venv.write_text("in the way")
    with pytest.raises(SystemExit, match=r"venv cannot be written .*VENV=FOLDER"):
        set_up()
    set_up.venv.unlink()
    set_up.venv.mkdir()
    (set_up.venv / "thesis.txt").write_text("precious")
    with pytest.raises(SystemExit, match="not made by this program"):
        set_up()
    assert (set_up.venv / "thesis.txt").read_text() == "precious"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are text there")
def test_a_folder_whose_name_is_text_in_another_encoding(set_up, tmp_path, monkeypatch):
    """As an archive packed in China unpacks on Linux: the bytes of GBK."""
    root = Path(os.fsdecode(os.fsencode(tmp_path) + "/课程".encode("gbk")))
    root.mkdir()
    for name in ("requirements-common.txt", "pyproject.toml"):
        (root / name).write_text("")
    monkeypatch.setattr(setup_env, "ROOT", root)
    monkeypatch.setattr(sys, "base_prefix", str(root))
    assert set_up() != [] and set_up() == []


# --- what is installed, and pip


@pytest.fixture
def site_packages(tmp_path, monkeypatch):
    """Install distributions without content; `metadata` then sees only these."""

    def install(name, version="1.0", files=()):
        info = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        for file in files:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_bytes(b"12345")
        (info / "RECORD").write_text("".join(f"{file},sha256=x,5\n" for file in files))

    only_here = partial(installed.metadata.distributions, path=[str(tmp_path)])
    monkeypatch.setattr(installed.metadata, "distributions", only_here)
    return install


def faults(*lines):
    return installed.faults([installed.Requirement(line) for line in lines])


def test_what_is_missing_or_of_another_version(site_packages):
    site_packages("NumPy", "2.3.5")
    site_packages("tqdm", "3.0")
    assert faults("numpy>=1.24,<2.4") == {"missing": [], "damaged": [], "rivals": []}
    assert faults("numpy", "tqdm>=4", "openpyxl")["missing"] == ["tqdm", "openpyxl"]


@pytest.mark.parametrize("file", ["numpy/__init__.py", "numpy/core.so", "six.py"])
@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"1")])
def test_files_that_are_gone_or_changed(site_packages, tmp_path, file, change):
    site_packages("numpy", files=[file, "numpy/other.py"])
    assert faults("numpy")["damaged"] == []
    change(tmp_path / file)
    assert faults("numpy")["damaged"] == ["numpy==1.0"]


def test_two_distributions_in_one_place(site_packages):
    for name in ("opencv-python-headless", "opencv-python", "paddle"):
        site_packages(name)
    found = faults("opencv-python-headless", "paddlepaddle")
    assert found["rivals"] == ["opencv-python", "paddle"] and found["missing"] == ["paddlepaddle"]
    assert found["damaged"] == ["opencv-python-headless==1.0"]  # since taking one away takes files of the other


@pytest.mark.parametrize("required", ["paddlepaddle>=2.6.2,<3.4", "paddlepaddle-gpu==2.6.2"])
@pytest.mark.parametrize(("version", "missing"), [("3.3.1", []), ("2.5.2", ["paddlepaddle-gpu"])])
def test_a_gpu_build_from_paddlepaddle_s_own_index_stays(site_packages, required, version, missing):
    site_packages("paddlepaddle-gpu", version)
    assert faults(required) == {"missing": missing, "damaged": [], "rivals": []}


def test_requirements_files_are_read_with_what_they_include(tmp_path):
    (tmp_path / "more.txt").write_text("six>=1\nwinpty; sys_platform == 'nothing'\n")
    (tmp_path / "all.txt").write_text("# why\n-r more.txt\n--extra-index-url http://x\nnumpy<2  # why\n")
    assert [str(one) for one in installed.read(tmp_path / "all.txt")] == ["six>=1", "numpy<2"]


def test_this_environment_is_whole_and_one_that_was_moved_is_not(tmp_path):
    found = setup_env.look_at(Path(sys.prefix), ROOT / "requirements-common.txt")
    assert found is None or found["missing"] == found["rivals"] == []
    scripts = setup_env.venv_python(tmp_path / "venv").parent
    program(scripts, "python", "echo {}")
    program(scripts, "pip", "# made for /elsewhere/venv/bin/python")
    assert setup_env.look_at(tmp_path / "venv", ROOT / "requirements.txt") is None


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("No matching distribution found for paddlepaddle<3.4", "mirror (pip config list) may be behind PyPI"),
        ("NewConnectionError()\nNo matching distribution found", "pip config set global.index-url ADDRESS"),
        ("Could not install packages due to an OSError: [Errno 28] No space left on device", "Make room"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "pip cache purge"),
        ("HTTP error 403 while getting http://mirror/numpy.whl", "The server refuses"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))", "PIP_CERT"),
        ("ImportError: libgomp.so.1: cannot open shared object file", "apt install libgomp1"),
        ("ImportError: DLL load failed while importing libpaddle", "Visual C++ Redistributable"),
        ("Python ended with status -4", "AVX"),
        ("[WinError 5] Access is denied: 'C:\\\\course\\\\.venv'", "Close what uses the environment"),
    ],
)
@shell
def test_the_advice_fits_what_pip_says(said, advice, tmp_path, monkeypatch, capfd):
    (tmp_path / "said").write_text(said)
    python = program(tmp_path, "python", f'[ "$1" = -I ] || {{ cat "{tmp_path}/said" >&2; exit 1; }}')
    monkeypatch.setattr(setup_env, "venv_python", lambda venv: python)
    with pytest.raises(SystemExit) as left:
        setup_env.pip(tmp_path, ["install", "numpy"])
    assert advice in str(left.value) and said in capfd.readouterr().err


def test_settings_that_lead_elsewhere_do_not_reach_pip_and_mirrors_do(tmp_path, monkeypatch):
    monkeypatch.setattr(setup_env, "venv_python", lambda venv: Path(sys.executable))
    settings = tmp_path / "pip.ini"
    settings.write_text(
        "[global]\nindex-url = http://mirror/simple\nuser = true\nretries = 1\n"
        f"[install]\ntarget = {tmp_path}\nretries = 2\nextra-index-url =\n  http://a\n  http://b\n"
    )
    own = {"CONFIG_FILE": settings, "USER": 1, "PREFIX": "/p", "PROXY": "http://proxy", "TIMEOUT": 7}
    for name, value in own.items():
        monkeypatch.setenv(f"PIP_{name}", str(value))
    monkeypatch.setenv("PYTHONPATH", "/foreign")
    found = setup_env.pip_environment(tmp_path)
    assert {*found} & {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONPATH"} == set()
    assert found["PIP_INDEX_URL"] == "http://mirror/simple" and found["PIP_PROXY"] == "http://proxy"
    assert found["PIP_EXTRA_INDEX_URL"].split() == ["http://a", "http://b"] and found["PIP_RETRIES"] == "2"
    assert found["PIP_TIMEOUT"] == "7" and found["PIP_CONFIG_FILE"] == os.devnull


@shell
def test_what_went_wrong_is_shown_in_whatever_encoding_it_comes(tmp_path, monkeypatch):
    python = program(tmp_path, "python", "printf '\\316\\336\\267\\250 ensurepip'\nexit 1")
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


# --- the tasks


def call(*command, encoding="utf-8", **variables):
    """Run a program as from a shell, also when the tests themselves were started by make."""
    own = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", *runpy.run_path(str(ROOT / "course.py"))["VARIABLES"]}
    env = {name: value for name, value in os.environ.items() if name not in own} | variables
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, encoding=encoding, errors="replace")


course, make = partial(call, sys.executable, "course.py"), partial(call, "make")


def test_each_command_is_a_task():  # where it cannot run, it names the task to run
    assert {*COMMANDS} <= {*TASKS}


def test_the_tasks_are_listed():
    for done in (course(), course("labs")):
        assert [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")] == TASKS


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ("lab", 0, "-m jupyterlab --notebook-dir=notebooks"),
        ("lab", 0, "--LabApp.default_url=/lab/tree/01_lenet_mnist.ipynb"),
        ("lab --chapter zh/03 --port=8890", 0, "--LabApp.default_url=/lab/tree/zh/03_alexnet.ipynb"),
        ("lab BROWSER=0 PORT=8890 JOBS=2", 0, "--no-browser --port=8890"),
        ("test", 0, "-n auto --dist loadfile --nbval-lax --nbval-current-env --nbval-cell-timeout=900 notebooks tests"),
        ("test --chapter '01 02'", 0, "notebooks/01_lenet_mnist.ipynb notebooks/02_ichallenge_pm.ipynb"),
        ("test-notebooks CH=02 JOBS=3", 0, "notebooks/02_ichallenge_pm.ipynb --numprocesses=3"),
        ("reset CH=03 KEEP=1", 0, "-m palm_utils reset 03 --keep-answers"),
        ("reset 03 --keep-answers", 0, "-m palm_utils reset 03 --keep-answers"),
        ("course CH=03 RUN_JOBS=2 AGAIN=0", 0, "-m palm_utils course 03 --jobs=2"),
        ("data mnist --download", 0, "-m palm_utils data mnist --download"),
        ("update VENV=/elsewhere", 0, "course.py setup --venv /elsewhere"),
        ("bench 'ROWS=reader steps' ROUNDS=2 QUICK=1", 0, "-m benchmarks reader steps --rounds=2 --quick"),
        ("setup LOCKED=1 PYTHON=python3.12", 0, "--requirements requirements-lock.txt"),
        ("setup --paddle cpu", 0, "--paddle cpu --any-python"),
        ("", 0, ""),
        ("labs", 1, "no task labs"),
        ("test-notebooks CH=99", 1, "no chapter starts with 99"),
        ("setup --port 1", 2, "unknown: --port 1"),
        ("setup --python no-such-python", 1, "no-such-python cannot be started"),
        ("reset --help", 0, "-m palm_utils reset --help"),
        (f"reset 98 'VENV={sys.prefix}' READY=1", 1, "98"),  # the status is that of what it runs
    ],
)
def test_what_a_task_runs_or_cannot_do(words, status, told):
    done = course(*shlex.split(words), *(["--dry-run"] if words and not status else []))
    assert done.returncode == status and told in (done.stderr if status else done.stdout), done.stderr


@shell
def test_make_hands_its_variables_on(tmp_path):
    """Under a path with a space, too, as whoever names VENV for a read-only clone may have it."""
    venv = tmp_path / "my environments" / "venv"
    venv.parent.mkdir()
    venv.symlink_to(sys.prefix)
    done = make("progress", "CH=01", f"VENV={venv}", "READY=1")
    assert done.returncode == 0 and "1.1" in done.stdout, done.stderr
    assert make("-n", "test", "JOBS=2", "READY=1").stdout.split()[1:] == ["course.py", "test", '"READY=1"', '"JOBS=2"']
    windows = make("-n", "doctor", "OS=Windows_NT").stdout.split()
    assert windows[:3] == ['"python"', "course.py", "doctor"]
    assert make().stdout == course().stdout
    assert make("labs").returncode


@shell
def test_a_home_that_cannot_be_written_to_gives_way_to_one_of_this_user_s(tmp_path):
    program(tmp_path / "venv" / "bin", "python", 'echo "$HOME"')
    for home, used in ((Path("/proc/nowhere"), tmp_path / f"palm-home-{os.getuid()}"), (tmp_path, tmp_path)):
        done = course("progress", f"VENV={tmp_path / 'venv'}", "READY=1", HOME=str(home), TMPDIR=str(tmp_path))
        assert done.stdout.strip() == str(used)


@shell
def test_a_program_that_was_killed_is_told(tmp_path):
    program(tmp_path / "venv" / "bin", "python", "kill -9 $$")
    done = course("progress", f"VENV={tmp_path / 'venv'}", "READY=1")
    assert done.returncode == 137 and "probably for want of memory" in done.stderr


# --- other systems, as far as they can be told from here


WITHOUT_UNIX = """
import builtins, dataclasses, importlib, multiprocessing, os, pathlib, signal, sys, warnings
warnings.simplefilter("ignore")
import paddle, cv2, matplotlib.pyplot, sklearn.metrics, scipy.stats, joblib, tqdm.auto, requests
import filelock, platformdirs, nbclient, nbformat, psutil, openpyxl, concurrent.futures.process, ipykernel.ipkernel

def refuse(*args, **options):
    raise OSError("no symbolic links")
def open_(file, *args, real_open=open, **options):
    if str(file).startswith(("/proc", "/sys")):
        raise FileNotFoundError(file)
    return real_open(file, *args, **options)
builtins.open = open_
os.symlink = pathlib.Path.symlink_to = refuse
multiprocessing.set_start_method("spawn", force=True)
multiprocessing.get_all_start_methods = lambda: ["spawn"]
for name in ("fcntl", "resource", "pwd", "grp", "syslog", "termios", "pty", "tty"):
    sys.modules[name] = None
gone = "fork forkpty killpg setsid getpgid setpgid getpgrp geteuid getuid getgid sched_getaffinity mkfifo nice wait"
gone += " uname chown fchown SIGALRM SIGKILL SIGHUP SIGQUIT SIGUSR1 SIGCHLD alarm setitimer pthread_kill"
for name in gone.split():
    vars(os).pop(name, None), vars(signal).pop(name, None)

sys.path[:0] = [".", "tools"]
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = repr(error)
print("failed", failed)
from palm_course import exercises, supported
from palm_course.command import main
from palm_utils import datasets, messages, readers
import course, setup_env
print("commands", main(["data"]), main(["progress", "01"]), main(["reset", "01", "--from", "."]))
data, endless = datasets.palm(), lambda *args: next(x for x in iter(int, 1) if x)
print("read", sum(len(images) for images, _ in readers.valid_data_loader(data.DATADIR2, data.CSVFILE)()))
print("stopped", dataclasses.replace(exercises.find("1.1"), seconds=1).examine(endless).status)
messages.Path = pathlib.PureWindowsPath
course.WINDOWS = setup_env.WINDOWS = True
place = messages.Path("C:/课程")
print("paths", messages.of_folder(str(place / "notebooks" / "ZH" / "solutions")), course.python_of(place / ".venv"))
print(setup_env.venv_python(place / ".venv"))
for task in course.TASKS:
    print("task", task)
    course.main([task, "VENV=C_课程", "--dry-run"])
"""


def test_every_module_can_be_imported_and_every_task_told_where_unix_s_functions_are_not():
    """In a process that has only what Windows has too, on a console that speaks GBK."""
    files = [path for name in ("palm_utils", "palm_course") for path in sorted((ROOT / name).rglob("*.py"))]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files if path.name != "__main__.py"]
    names += ["conftest", *(path.stem for path in (ROOT / "tools").glob("*.py"))]
    run = [sys.executable, "-c", WITHOUT_UNIX, *(name.replace(".__init__", "") for name in names)]
    done = call(*run, encoding="gbk", PYTHONIOENCODING="gbk", PALM_LANG="zh", PALM_SAMPLE="tiny")
    assert done.returncode == 0, done.stderr
    before, failed, after = done.stdout.partition("failed {}\n")
    assert failed, before
    used, paths, *lines = re.split(r"\n(?=paths|task)", after, maxsplit=2)
    assert "commands 0 0 0" in used and "read 11" in used and "stopped Status.WRONG" in used
    assert paths.split() == ["paths", "zh_CN", *["C:\\课程\\.venv\\Scripts\\python.exe"] * 2]
    told = [line for line in lines[0].splitlines() if not line.startswith("removing")]
    assert [line[5:] for line in told if line.startswith("task")] == TASKS
    commands = [line for line in told if not line.startswith("task")]
    assert len(commands) > len(TASKS) and "C_课程" in commands[0]
    assert all("Scripts/python.exe" in line or sys.executable in line for line in commands)


def test_the_docker_image_is_built_and_the_doctor_is_content():
    if shutil.which("docker") is None or call("docker", "info").returncode:
        pytest.skip("there is no Docker here")
    subprocess.run(["docker", "build", "-t", "palm-course-test", "."], cwd=ROOT, check=True)
    subprocess.run(["docker", "run", "--rm", "palm-course-test", "python", "course.py", "doctor"], check=True)


def test_a_python_too_old_to_read_the_doctor_is_told_so():
    code = "import runpy, sys; sys.version_info = (3, 7, 16); sys.argv = ['course.py', 'doctor']; "
    done = call(sys.executable, "-c", code + "runpy.run_path('course.py', run_name='__main__')")
    assert done.returncode == 1
    assert done.stderr == f"The course needs Python 3.10 to 3.13; {sys.executable} is 3.7.\n"
