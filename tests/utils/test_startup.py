"""What a command imports before it answers: not PaddlePaddle, unless it needs it."""

import json
import subprocess
import sys

import pytest

HEAVY = ["paddle", "cv2", "sklearn", "matplotlib", "numpy", "nbformat"]
TABLES = """from palm_utils import choose, results
choose.table('04_vgg:VGG')
results.table('04_vgg:VGG', claim='')
"""


def command(argument):
    return f"from palm_course.command import main\ntry:\n    main([{argument!r}])\nexcept SystemExit:\n    pass"


def loaded_by(code):
    """Which modules a process has loaded after `code`."""
    code = f"{code}\nimport json, sys\nprint()\nprint(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import palm_utils", HEAVY),
        ("from palm_utils import figures, readers, training", ["sklearn"]),  # it waits until something is scored
        ("import palm_course.exercises", ["paddle", "cv2", "nbformat"]),
        (TABLES, ["paddle", "palm_utils.training", "palm_course.results.measure"]),
        (command("--version"), HEAVY),
        (command("--help"), HEAVY),
        (f"import os\nos.environ['PALM_LANG'] = 'zh'\n{command('--help')}", HEAVY),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(code, absent):
    assert loaded_by(code) & set(absent) == set()


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
