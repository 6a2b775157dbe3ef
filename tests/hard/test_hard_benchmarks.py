"""The benchmarks that take longest run in their small sizes and give figures."""

import pytest
from test_benchmarks import SLOW_ROWS, assert_row_runs, bench

__all__ = ["bench"]


@pytest.mark.parametrize("name", SLOW_ROWS)
def test_a_slow_row_runs_and_gives_finite_figures(name, bench, monkeypatch):
    assert_row_runs(name, bench, monkeypatch)
