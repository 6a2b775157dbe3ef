"""What a command imports before it answers: not PaddlePaddle, unless it needs it."""

import json
import subprocess
import sys

import pytest

HEAVY = ["paddle", "cv2", "sklearn", "matplotlib", "numpy", "nbformat"]


def loaded_by(code):
    """Which of the heavy modules a process has loaded after `code`."""
    code = f"{code}\nimport json, sys\nprint(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_the_package_itself_is_light_and_scikit_learn_waits_until_something_is_scored():
    assert loaded_by("import palm_utils") == []
    assert "sklearn" not in loaded_by("from palm_utils import figures, readers, training")


@pytest.mark.parametrize(("argument", "language"), [("--help", "en"), ("--help", "zh"), ("--version", "en")])
def test_help_is_given_without_loading_what_the_commands_need(argument, language, monkeypatch):
    monkeypatch.setenv("PALM_LANG", language)
    command = f"from palm_course.command import main\ntry:\n    main([{argument!r}])\nexcept SystemExit:\n    pass"
    assert loaded_by(command) == []


def test_the_doctor_s_first_lines_come_before_paddlepaddle():
    watched = """
import sys
from palm_course import doctor
lines = doctor.lines()
first = next(lines)
assert first[1] == "Python", first
assert not [m for m in ("paddle", "numpy") if m in sys.modules]
while first[1] != "paddle":
    assert "paddle" not in sys.modules, first
    first = next(lines)
assert "paddle" in sys.modules
"""
    assert "paddle" in loaded_by(watched)
