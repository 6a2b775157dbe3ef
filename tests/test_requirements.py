"""The requirements files: their bounds, and the lock file."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
FILES = sorted(ROOT.glob("requirements*.txt"))


def requirements(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_next_major_version_can_arrive_unseen(path):
    for requirement in requirements(path.name):
        operators = {spec.operator for spec in requirement.specifier}
        # setuptools only has to be there; PaddlePaddle imports a part of it that has not changed for years.
        assert operators & {"<", "=="} or requirement.name == "setuptools", requirement


def test_the_lock_file_holds_everything_the_course_needs_within_its_bounds():
    locked = requirements("requirements-lock.txt")
    for requirement in [*requirements("requirements-common.txt"), *requirements("requirements.txt")]:
        versions = [next(iter(one.specifier)).version for one in locked if one.name == requirement.name]
        assert versions, requirement.name
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_each_python_gets_exactly_one_version_of_each_package():
    locked = requirements("requirements-lock.txt")
    for version in ("3.10.13", "3.11.7", "3.12.1", "3.13.0"):
        environment = {"python_full_version": version, "python_version": version.rpartition(".")[0]}
        names = [one.name for one in locked if one.marker is None or one.marker.evaluate(environment)]
        assert len(names) == len(set(names)) > 100
