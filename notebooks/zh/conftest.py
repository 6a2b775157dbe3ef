"""What pytest executes of the Chinese edition, and that it does so in Chinese.

Asked for a folder, it executes chapter 1. The other chapters and the solutions are the same
programs as the English ones, which it executes, and tests/test_zh.py compares them. Named, a
notebook is executed: `make test-notebooks CH=zh/03`.
"""

import re

import pytest


def pytest_ignore_collect(collection_path, config):
    """Leave out the solutions and other chapters, unless the command line names them."""
    first = collection_path.parent.name == "zh" and collection_path.name.startswith("01")
    if first or not re.fullmatch(r"\d\d_\w+\.ipynb", collection_path.name):
        return None
    named = (config.invocation_params.dir / argument.split("::")[0] for argument in config.args)
    return None if collection_path in [path.resolve() for path in named] else True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup():
    """Start kernels, which happens here, in Chinese; their folder has another name."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PALM_LANG", "zh")
        return (yield)
