"""tools/setup_env.py: what it decides; a real set-up is what `make test` itself runs on."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
spec = importlib.util.spec_from_file_location("setup_env", ROOT / "tools" / "setup_env.py")
setup_env = importlib.util.module_from_spec(spec)
spec.loader.exec_module(setup_env)


@pytest.fixture
def fake_nvidia_smi(tmp_path, monkeypatch):
    def install(output, status=0):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\necho '{output}'\nexit {status}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    return install


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for nvidia-smi")
def test_a_gpu_takes_the_gpu_requirements_and_says_so(fake_nvidia_smi, capsys):
    fake_nvidia_smi("GPU 0: NVIDIA GeForce RTX 3060 (UUID: GPU-1)")
    assert setup_env.choose_requirements("auto") == "requirements-gpu.txt"
    assert "NVIDIA GPU" in capsys.readouterr().out
    assert setup_env.choose_requirements("cpu") == "requirements.txt"


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for nvidia-smi")
def test_a_driver_without_a_gpu_takes_the_cpu_requirements(fake_nvidia_smi):
    fake_nvidia_smi("No devices were found", status=6)
    assert setup_env.choose_requirements("auto") == "requirements.txt"
    assert setup_env.choose_requirements("gpu") == "requirements-gpu.txt"


def test_an_old_python_is_refused_with_a_way_out(monkeypatch):
    monkeypatch.setattr(setup_env.sys, "version_info", (3, 8, 18))
    monkeypatch.setattr(setup_env.shutil, "which", lambda name: "x" if name == "python3.11" else None)
    with pytest.raises(SystemExit, match=r"needs Python 3\.10 to 3\.12.*make setup PYTHON=python3\.11"):
        setup_env.check_python()


def test_nothing_is_done_twice(tmp_path, monkeypatch):
    venv, calls = tmp_path / "venv", []
    python = setup_env.venv_python(venv)

    def make_venv(folder):
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text("")

    monkeypatch.setattr(setup_env, "make_venv", make_venv)
    monkeypatch.setattr(setup_env, "pip_install", lambda venv, packages: calls.append(packages))
    monkeypatch.setattr(sys, "argv", ["setup_env.py", "--venv", str(venv), "--paddle", "cpu"])
    assert setup_env.main() == 0 and len(calls) == 2
    assert setup_env.main() == 0 and len(calls) == 2
    monkeypatch.setattr(sys, "argv", ["setup_env.py", "--venv", str(venv), "--paddle", "gpu"])
    assert setup_env.main() == 0 and len(calls) == 4


def test_an_interrupted_set_up_is_not_taken_for_a_finished_one(tmp_path, monkeypatch):
    venv = tmp_path / "venv"
    monkeypatch.setattr(setup_env, "make_venv", lambda folder: folder.mkdir())
    monkeypatch.setattr(setup_env, "pip_install", lambda venv, packages: sys.exit("no network"))
    monkeypatch.setattr(sys, "argv", ["setup_env.py", "--venv", str(venv), "--paddle", "cpu"])
    with pytest.raises(SystemExit):
        setup_env.main()
    assert not (venv / "palm-setup.txt").exists()


@pytest.mark.skipif(os.name == "nt", reason="make")
def test_make_help_lists_every_target_with_one_line():
    out = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = {line.split()[1] for line in out.splitlines()}
    phony = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:"))
    assert listed == set(phony.split()[1:])
    assert all(len(line.split()) > 2 for line in out.splitlines())
