"""The requirements files: bounds, their reasons, the lock file, and the oldest versions that are tested."""

import importlib.util
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
FILES = sorted(ROOT.glob("requirements*.txt"))


def load_matrix():
    spec = importlib.util.spec_from_file_location("matrix", ROOT / "tools" / "matrix.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


matrix = load_matrix()


def requirements(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_next_major_version_can_arrive_unseen(path):
    for requirement in requirements(path.name):
        operators = {spec.operator for spec in requirement.specifier}
        # setuptools only has to be there; PaddlePaddle imports a part of it that has not changed for years.
        assert operators & {"<", "=="} or requirement.name == "setuptools", requirement


@pytest.mark.parametrize("path", [path for path in FILES if "lock" not in path.name], ids=lambda path: path.name)
def test_pins_have_their_reasons_beside_them(path):
    previous = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if re.match(r"[a-z-]+==", line):
            assert previous.startswith("#"), f"{path.name}: {line}"
        previous = line


def test_the_lock_file_holds_everything_the_course_needs_within_its_bounds():
    locked = requirements("requirements-lock.txt")
    for requirement in [*requirements("requirements-common.txt"), *requirements("requirements.txt")]:
        versions = [next(iter(one.specifier)).version for one in locked if one.name == requirement.name]
        assert versions, requirement.name
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_each_python_gets_exactly_one_version_of_each_package():
    locked = requirements("requirements-lock.txt")
    for version in ("3.10.13", "3.11.7", "3.12.1"):
        environment = {"python_full_version": version, "python_version": version.rpartition(".")[0]}
        names = [one.name for one in locked if one.marker is None or one.marker.evaluate(environment)]
        assert len(names) == len(set(names)) > 100


def test_the_oldest_versions_are_the_lower_bounds():
    lines = matrix.oldest("# why\nnumpy>=1.24,<2.4\nsetuptools>=64\nnbval==0.11.0\n\n")
    assert lines == ["numpy==1.24.*", "setuptools==64.0.*", "nbval==0.11.0", "paddlepaddle==2.6.2"]
    with pytest.raises(ValueError, match="'numpy<2' has no lower bound"):
        matrix.oldest("numpy<2\n")


def test_the_counts_of_a_run_are_read_from_its_last_line():
    output = "5 failed in a test's own output\n=== 2 failed, 2029 passed, 2 skipped, 1 xfailed, 1 error in 10.0s ===\n"
    counts = [matrix.count(output, word) for word in ("passed", "skipped", "failed", "errors?")]
    assert counts == [2029, 2, 2, 1]
    assert matrix.count("", "passed") == 0


def test_the_table_has_a_line_for_each_case():
    one = {"date": "2026-01-01", "machine": "Linux x86_64", "command": "make test", "python": "3.12.1"}
    one |= {"versions": dict.fromkeys(matrix.SHOWN, "1.0"), "passed": 3, "skipped": 2, "failed": 1}
    lines = matrix.table({"oldest": one, "locked": one}).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 4 and len({row.count("|") for row in rows}) == 1
    assert rows[2].startswith("| oldest | 3.12.1 | 1.0 |") and "| 3 | 2 | 1 | 2026-01-01, Linux x86_64 |" in rows[2]


def test_the_cases_span_the_versions_that_are_allowed():
    cases = matrix.cases()
    assert {case.python for case in cases} == {"3.10", "3.11", "3.12"}
    text = "\n".join(line for case in cases for line in case.lines)
    for expected in ("paddlepaddle==2.6.2", "paddlepaddle==3.0.*", "-r requirements.txt", "-r requirements-lock.txt"):
        assert expected in text
    assert len({case.folder for case in cases}) == len(cases)
