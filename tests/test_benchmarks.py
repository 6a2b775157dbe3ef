"""The benchmarks run, in tiny sizes, and what they report is well formed. How fast anything is, no test asks."""

import math
import mmap
import os
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from networks import Tiny, assert_same, momentum, weights

from benchmarks import __main__ as benchmarks
from benchmarks import batches, machine, report, scaling, scaling_side, steps, tutorial
from benchmarks.bench import Bench, environment
from benchmarks.measures import Bound, Measure, Row, ratio, take_turns
from palm_utils.messages import CourseError, DataError
from palm_utils.readers import data_loader, valid_data_loader

TORCH = Bench(Path()).torch_python


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, quick=True)


# Up to half a minute each: tests/hard.
SLOW_ROWS = ("processes", "steps", "suite", "training")


def assert_row_runs(name, bench, monkeypatch):
    if not TORCH.is_file():  # only `make bench` installs PyTorch
        monkeypatch.setattr(steps, "in_pytorch", lambda bench, **options: steps.in_paddle(bench, **options))
    if name == "processes" and not sys.platform.startswith("linux"):
        pytest.skip("PaddlePaddle trains in several processes on Linux only")
    row = benchmarks.ROWS[name]
    measures = row.measure(bench)
    assert measures and len({measure.what for measure in measures}) == len(measures)
    assert all(measure.value > 0 or measure.unit.startswith("MB") for measure in measures)
    assert all(measure.samples and all(measure.samples.values()) for measure in measures)
    lines = report.table([row], {name: report.outcome(row, measures, {})})
    assert len(lines) == len(measures) and all(measured for *_, measured, _ in lines)


@pytest.mark.parametrize("name", [name for name in benchmarks.ROWS if name not in SLOW_ROWS])
def test_every_row_runs_and_gives_finite_figures(name, bench, monkeypatch):
    assert_row_runs(name, bench, monkeypatch)


def test_the_page_is_what_the_stored_results_say():
    page = report.readme(list(benchmarks.ROWS.values()), report.load(report.FOLDER))
    assert (report.FOLDER / report.README).read_text("utf-8") == page


def fails(bench):
    raise CourseError("no disk\nat all")


REACHED = Measure("small", 60.0, "times faster", Bound("at least", 60), 58.0, 61.5, {"a": [6.0], "b": [0.1]}, "a 6 s")
MISSED = Measure("", 0.71, "of its time", Bound("at most", 0.65), samples={"a": [1.0], "b": [0.71]})
REPORTED = Measure("large", 1530.0, "ms", samples={"a": [1530.0]})


@pytest.fixture
def rows(monkeypatch, tmp_path):
    """Three rows of which one misses its requirement and one fails, and a machine that does nothing else."""
    measures = {"good": lambda bench: [REACHED, REPORTED], "slow": lambda bench: [MISSED], "bad": fails}
    made = {name: Row(name, f"the {name}", "the rest", "a lot", "By looking.", m) for name, m in measures.items()}
    monkeypatch.setattr(benchmarks, "ROWS", made)
    monkeypatch.setattr(machine, "busy", lambda seconds: 0.0)
    return tmp_path / "out"


def bench_rows(out, *names):
    """Measure rows; return the exit status and the page that was written."""
    return benchmarks.main([*names, "--folder", str(out)]), (out / "README.md").read_text("utf-8")


def test_the_table_and_the_files_say_what_was_reached_and_what_was_not(rows, capsys):
    status, page = bench_rows(rows)
    assert status == 1  # since a row failed; a requirement that is missed is no error
    out = capsys.readouterr().out
    printed = out[out.rindex("what  ") :].splitlines()
    shown = ["reached", "reported only", "NOT REACHED", "FAILED: CourseError: no disk"]
    assert [line.split("  ")[-1].strip() for line in printed[1:5]] == shown
    assert "60.0 (58.0 to 61.5) times faster" in printed[1] and "at least 60" in printed[1]
    assert "1530 ms" in printed[2]
    (stored,) = report.load(rows).values()
    assert [m["met"] for m in stored["good"]["measures"]] == [True, None]
    assert [m["met"] for m in stored["slow"]["measures"]] == [False] and list(stored) == ["good", "slow", "bad"]
    about = stored["slow"]["about"]
    assert about["quick"] is False and about["machine"]["cores"] >= 1 and about["machine"]["numpy"] == np.__version__
    (processor,) = report.load(rows)
    assert f"- {processor}: `slow`, `bad` (failed)\n" in page
    assert "0.710 of its time; must be at most 0.65: NOT REACHED" in page.partition("## slow")[2]


def test_the_page_puts_processors_side_by_side(rows):
    row = benchmarks.ROWS["good"]
    about = {"machine": machine.describe(), "quick": False, "busy": 0.0, "seconds": 1.0, "rows": {}}
    about |= {"when": "today", "command": "make bench"}
    found = {"A": [REACHED], "B": [REACHED, REPORTED]}
    page = report.readme([row], {name: {"good": report.outcome(row, its, about)} for name, its in found.items()}, rows)
    cell = "60.0 (58.0 to 61.5) times faster; must be at least 60: reached<br>a 6 s"
    assert f"|  | A | B |\n| --- | --- | --- |\n| small | {cell} | {cell} |\n| large |  | 1530 ms |\n" in page
    assert "- A: nothing\n- B: nothing\n" in page


def test_rows_that_are_not_measured_keep_their_figures_and_a_busy_machine_is_said(rows, monkeypatch):
    assert bench_rows(rows, "good")[0] == 0
    monkeypatch.setattr(machine, "busy", lambda seconds: 83.0)
    status, page = bench_rows(rows, "slow")
    (stored,) = report.load(rows).values()
    assert status == 0 and list(stored) == ["good", "slow"]
    assert stored["slow"]["about"]["command"] == 'make bench ROWS="slow"'
    assert "Not measured yet." in page.partition("## bad")[2]
    assert "other work used 83 % of its cores" in page


def test_quick_figures_are_kept_apart_and_marked(rows, monkeypatch, tmp_path):
    monkeypatch.setattr(benchmarks, "ROOT", tmp_path)
    before = (report.FOLDER / report.README).read_bytes()
    assert benchmarks.main(["good", "--quick"]) == 0
    assert "the figures mean nothing.**" in (tmp_path / "build" / "benchmarks" / "README.md").read_text("utf-8")
    assert (report.FOLDER / report.README).read_bytes() == before


@pytest.mark.parametrize("content", ["", "[]", '{"processors": {"x": {"good": {"measures": [{"value": 1}]}}}}'])
def test_damaged_results_are_not_replaced(rows, content):
    rows.mkdir()
    (rows / "results.json").write_text(content)
    with pytest.raises(DataError, match=r"results\.json: not results of benchmarks"):
        report.load(rows)
    assert benchmarks.main(["good", "--folder", str(rows)]) == 1
    assert (rows / "results.json").read_text() == content


@pytest.mark.parametrize("bad", [{"value": math.nan}, {"value": math.inf}, {"samples": {"a": [1.0, math.nan]}}])
def test_a_figure_that_is_not_finite_is_refused(bad):
    with pytest.raises(CourseError, match=r"small: measured .* not all finite"):
        replace(REACHED, **bad)


def test_sides_take_turns_and_their_medians_are_compared():
    order = []
    samples = take_turns({name: lambda name=name: order.append(name) or float(len(order)) for name in "ab"}, 3)
    assert "".join(order) == "abbaab"
    assert samples == {"a": [1.0, 4.0, 5.0], "b": [2.0, 3.0, 6.0]}
    figure = ratio({"a": [10.0, 2.0, 12.0], "b": [1.0, 2.0, 100.0]}, "a", "b")
    assert (figure["value"], figure["low"], figure["high"]) == (5.0, 0.12, 10.0)
    assert figure["detail"] == "a 10.0 s, b 2.00 s"


def test_measured_processes_see_no_settings_of_the_course_s_and_no_gpu(monkeypatch):
    for name in ("PALM_EPOCHS", "PADDLE_TRAINERS_NUM", "PALM_THREADS"):
        monkeypatch.setenv(name, "2")
    env = environment(EXTRA="x")
    assert "PALM_EPOCHS" not in env and "PADDLE_TRAINERS_NUM" not in env
    assert (env["PALM_THREADS"], env["EXTRA"], env["CUDA_VISIBLE_DEVICES"]) == ("2", "x", "")


def test_the_user_s_cache_is_left_alone_and_many_photographs_are_many_to_it(bench, palm_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("PALM_CACHE", str(tmp_path / "users"))
    (tmp_path / "many").mkdir()
    folder = scaling.linked(sorted((palm_folder / "PALM-Training400").iterdir()), tmp_path / "many", 30)
    reader = data_loader(folder)
    assert len(reader.files) == 30 and set(reader.labels) == {0, 1}
    with bench.fresh_cache() as cache:
        list(reader())
        assert len(list(cache.glob("*.pixels"))) == 30
    assert os.environ["PALM_CACHE"] == str(tmp_path / "users")
    assert not cache.exists() and not (tmp_path / "users").exists()


def test_memory_is_followed_while_it_is_used_and_after():
    # Mapped, so that it cannot be what an earlier test had and the process still holds.
    with scaling_side.Watch() as watch, mmap.mmap(-1, 40_000_000) as held:
        held.write(bytes(len(held)))
        watch._look()
    assert watch.growth > 30e6


def test_a_loss_that_is_not_finite_ends_the_timing():
    losses = iter([1.0, 0.5, math.nan, 0.1])
    with pytest.raises(ValueError, match="the loss is nan after 3 steps"):
        batches.timed(lambda: next(losses), warm_up=1, steps=3)
    assert len(batches.timed(lambda: 1.0, warm_up=2, steps=3)) == 3


@pytest.fixture
def compare(bench, monkeypatch):
    """Compare the steps of a GoogLeNet that takes PyTorch 2 s, PaddlePaddle 6, and the course so long by replicas."""

    def run(seconds, tensors=2):
        monkeypatch.setattr(steps, "QUICK", replace(steps.QUICK, steps={"05_googlenet:GoogLeNet": (2, 2)}))
        monkeypatch.setattr(steps.cpu, "cpuinfo", lambda: "")
        found = {"parameters": 10, "tensors": 2, "peak": 1500.0, "faults": 4000}

        def in_paddle(bench, env=None, replicas=1, **arguments):
            plain = {"seconds": [6.0], "peak": 1000.0, "faults": 90000}
            return {**found, **(plain if env == {"PALM_CPU": "plain"} else {"seconds": [seconds[replicas]]})}

        monkeypatch.setattr(steps, "in_paddle", in_paddle)
        theirs = {"parameters": 10, "tensors": tensors, "seconds": [2.0]}
        monkeypatch.setattr(steps, "in_pytorch", lambda bench, **_: theirs)
        return steps.measure(bench)

    return run


def test_different_networks_are_not_compared(compare):
    with pytest.raises(CourseError, match=r"GoogLeNet: not the same network.*\(10, 2\).*\(10, 3\)"):
        compare({1: 3.0, 2: 1.0}, tensors=3)


@pytest.mark.parametrize(("replicas", "seconds", "by"), [(1.8, 1.8, "2 replicas"), (3.5, 3.0, "threads")])
def test_the_better_of_threads_and_replicas_counts(compare, replicas, seconds, by):
    torch, plain, memory, faults = compare({1: 3.0, 2: replicas})
    assert (torch.value, torch.met, torch.unit) == (seconds / 2, seconds <= 2, f"of PyTorch's time, by {by}")
    assert (plain.value, plain.met) == (pytest.approx(seconds / 6), True) and plain.bound.value == 0.75
    assert (memory.value, memory.met, faults.value, faults.met) == (1.5, False, 4000, True)


def test_the_tutorial_s_readers_yield_the_same_images_and_decode_in_every_epoch(palm_folder, monkeypatch):
    training, validation = palm_folder / "PALM-Training400", palm_folder / "PALM-Validation400"

    def pairs(reader):
        return [(i.tobytes(), float(y[0])) for images, labels in reader() for i, y in zip(images, labels, strict=True)]

    assert sorted(pairs(tutorial.data_loader(training, 5))) == sorted(pairs(data_loader(training, 5)))
    makers = tutorial.valid_data_loader, valid_data_loader
    theirs, ours = (pairs(make(validation, palm_folder / "labels.csv", 3)) for make in makers)
    assert len(theirs) == 7 and theirs == ours
    decoded, imread = [], cv2.imread
    monkeypatch.setattr(cv2, "imread", lambda name: decoded.append(name) or imread(name))
    reader = tutorial.data_loader(training)
    assert len([*reader(), *reader()]) and len(decoded) == 2 * 12


def test_both_loops_compute_the_same(palm_folder, train, tmp_path):
    loaders = {
        "train_loader": data_loader(palm_folder / "PALM-Training400", 4, "eval"),
        "valid_loader": valid_data_loader(palm_folder / "PALM-Validation400", palm_folder / "labels.csv", 7),
    }
    model, other = Tiny(), Tiny()
    for network in (model, other):
        network.drop.p = 0.0
    other.set_state_dict(model.state_dict())
    history = train(model, momentum(model), epochs=1, **loaders)
    (tmp_path / "tutorial").mkdir()
    _, accuracy = tutorial.train_epoch(other, momentum(other), *loaders.values(), tmp_path / "tutorial")
    assert_same(weights(model), weights(other))
    assert accuracy == pytest.approx(history.last["valid_accuracy"])
    assert {file.name for file in (tmp_path / "tutorial").iterdir()} == {"palm.pdparams", "palm.pdopt"}
