"""The benchmarks run, in tiny sizes, and what they report is well formed. How fast anything is, no test asks."""

import csv
import json
import math
import mmap
import os
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from networks import Constant, Tiny, assert_same, momentum, weights

from benchmarks import __main__ as benchmarks
from benchmarks import batches, machine, photographs, report, scaling, scaling_side, steps, tutorial
from benchmarks.bench import Bench, environment
from benchmarks.measures import Bound, Measure, Row, digits, ratio, take_turns
from benchmarks.training_sides import Gate, Waiting
from palm_utils.messages import CourseError, DataError
from palm_utils.readers import data_loader, valid_data_loader

TORCH = Bench(Path()).torch_python


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, quick=True)


def in_paddle_instead(bench, **arguments):
    """Stands in for PyTorch, which only `make bench` installs."""
    return steps.in_paddle(bench, number=1, **arguments)


# --- every row


# Up to half a minute each: tests/hard.
SLOW_ROWS = ("processes", "steps", "suite", "training")


@pytest.mark.parametrize("name", [name for name in benchmarks.ROWS if name not in SLOW_ROWS])
def test_every_row_runs_and_gives_finite_figures(name, bench, monkeypatch):
    assert_row_runs(name, bench, monkeypatch)


def assert_row_runs(name, bench, monkeypatch):
    if not TORCH.is_file():
        monkeypatch.setattr(steps, "in_pytorch", in_paddle_instead)
    if name == "processes" and not sys.platform.startswith("linux"):
        pytest.skip("PaddlePaddle trains in several processes on Linux only")
    row = benchmarks.ROWS[name]
    measures = row.measure(bench)
    assert measures and len({measure.what for measure in measures}) == len(measures)
    for measure in measures:
        assert math.isfinite(measure.value) and (measure.value > 0 or measure.unit.startswith("MB"))
        assert measure.samples and all(measure.samples.values())
    lines = report.table([row], {name: report.outcome(row, measures, {})})
    assert len(lines) == len(measures) and all(measured for *_, measured, _ in lines)


def test_the_rows_are_those_that_are_required():
    bounds = {"reader": 50, "first-epoch": 1.7, "training": 0.65, "processes": 1.5, "scaling": 1.2, "suite": 12}
    assert list(benchmarks.ROWS) == [
        "reader", "first-epoch", "training", "processes", "steps", "kernels", "scaling", "suite",
    ]  # fmt: skip
    text = (report.FOLDER / report.README).read_text("utf-8")
    for name, bound in bounds.items():
        stored = report.load(report.FOLDER).get(name)
        if stored and stored["measures"]:
            assert stored["measures"][0]["bound"]["value"] == bound
        assert f"## {name}\n" in text


def test_kernels_are_compared_with_paddlepaddles_own_choice(bench, monkeypatch):
    asked = []

    def in_paddle(bench, env=None, **arguments):
        asked.append(env)
        return {"seconds": [6.0 if env else 3.0]}

    monkeypatch.setattr(benchmarks.kernels, "in_paddle", in_paddle)
    (found,) = benchmarks.kernels.measure(bench)
    assert found.value == 0.5 and asked == [None, {"MKL_DEBUG_CPU_TYPE": ""}]


def test_the_page_is_what_the_stored_results_say():
    rows = list(benchmarks.ROWS.values())
    text = (report.FOLDER / report.README).read_text("utf-8")
    assert text == report.readme(rows, report.load(report.FOLDER))


# --- what is reported


def row_of(name, *measures, error=None):
    def measure(bench):
        if error:
            raise error
        return list(measures)

    return Row(name, f"the {name}", "the rest", "a lot", "By looking.", measure)


REACHED = Measure("small", 60.0, "times faster", Bound("at least", 50), 58.0, 61.5, {"a": [6.0], "b": [0.1]}, "a 6 s")
MISSED = Measure("", 0.71, "of its time", Bound("at most", 0.65), samples={"a": [1.0], "b": [0.71]})
REPORTED = Measure("large", 1530.0, "ms", samples={"a": [1530.0]})


@pytest.fixture
def rows(monkeypatch, tmp_path):
    """Four rows of which one misses its requirement and one fails, and a machine that does nothing else."""
    made = [
        row_of("good", REACHED, REPORTED),
        row_of("slow", MISSED),
        row_of("bad", error=CourseError("no disk\nat all")),
    ]
    monkeypatch.setattr(benchmarks, "ROWS", {row.name: row for row in made})
    monkeypatch.setattr(machine, "busy", lambda seconds: 0.0)
    return {"folder": ["--folder", str(tmp_path / "out")], "out": tmp_path / "out"}


def test_the_table_and_the_files_say_what_was_reached_and_what_was_not(rows, capsys):
    assert benchmarks.main(rows["folder"]) == 1  # since a row failed
    out = capsys.readouterr().out
    printed = out[out.rindex("what  ") :].splitlines()
    assert [line.split("  ")[-1].strip() for line in printed[1:5]] == [
        "reached", "reported only", "NOT REACHED", "FAILED: CourseError: no disk",
    ]  # fmt: skip
    assert "60.0 (58.0 to 61.5) times faster" in printed[1] and "at least 50" in printed[1]
    assert "at all" in out  # the rest of the error

    stored = json.loads((rows["out"] / "results.json").read_text("utf-8"))["rows"]
    assert list(stored) == ["good", "slow", "bad"]
    assert [m["met"] for m in stored["good"]["measures"]] == [True, None]
    assert stored["slow"]["measures"][0]["met"] is False
    about = stored["slow"]["about"]
    assert about["command"] == "make bench" and about["quick"] is False
    assert about["machine"]["cores"] >= 1 and about["machine"]["numpy"] == np.__version__

    page = (rows["out"] / "README.md").read_text("utf-8")
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert len(table) == 6 and {line.count("|") for line in table} == {6}
    assert "| `slow`: the slow | the rest | at most 0.65 | 0.710 of its time | NOT REACHED |" in table
    assert "benchmarks/notes/slow.md" in page and "benchmarks/notes/good.md" not in page


def test_a_requirement_that_is_missed_is_no_error(rows):
    assert benchmarks.main(["good", "slow", *rows["folder"]]) == 0


def test_rows_that_are_not_measured_keep_their_figures(rows, capsys):
    benchmarks.main(["good", *rows["folder"]])
    benchmarks.main(["slow", *rows["folder"]])
    stored = report.load(rows["out"])
    assert list(stored) == ["good", "slow"]
    assert stored["slow"]["about"]["command"] == 'make bench ROWS="slow"'
    assert "the bad | the rest | a lot |  | not measured" in (rows["out"] / "README.md").read_text("utf-8")
    assert "the good" not in capsys.readouterr().out.rpartition("what  ")[2]


def test_a_note_says_what_limits_a_row(tmp_path):
    slow = row_of("slow", MISSED)
    about = {"quick": False, "machine": machine.describe(), "when": "2026-01-01", "command": "make bench"}
    outcome = report.outcome(slow, [MISSED], {**about, "seconds": 3.2, "busy": 0.0, "rows": {}})
    assert "not looked into yet" in report.readme([slow], {"slow": outcome}, tmp_path)
    (tmp_path / "slow.md").write_text("Batch norm runs on one core.\n")
    page = report.readme([slow], {"slow": outcome}, tmp_path)
    assert page.endswith("Batch norm runs on one core.\n") and "not looked into" not in page


def test_a_busy_machine_is_said(rows, monkeypatch, capsys):
    monkeypatch.setattr(machine, "busy", lambda seconds: 83.0)
    benchmarks.main(["good", *rows["folder"]])
    assert "the machine is busy (83 % of its cores)" in capsys.readouterr().out
    assert "other work used 83 % of its cores" in (rows["out"] / "README.md").read_text("utf-8")


def test_quick_figures_are_kept_apart_and_marked(rows, monkeypatch, tmp_path):
    monkeypatch.setattr(benchmarks, "ROOT", tmp_path)
    before = (report.FOLDER / report.README).read_bytes()
    assert benchmarks.main(["good", "--quick"]) == 0
    assert "the figures mean nothing.**" in (tmp_path / "build" / "benchmarks" / "README.md").read_text("utf-8")
    assert (report.FOLDER / report.README).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["fast"], "no row fast; there are good, slow"), (["--rounds", "0"], "rounds is 0")],
)
def test_what_cannot_be_measured_is_refused(rows, arguments, message, capsys):
    with pytest.raises(SystemExit):
        benchmarks.main([*arguments, *rows["folder"]])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", '{"rows": {"good": {"measures": [{"value": 1}]}}}'])
def test_damaged_results_are_not_replaced(rows, content, capsys):
    rows["out"].mkdir()
    (rows["out"] / "results.json").write_text(content)
    with pytest.raises(DataError, match=r"results\.json: not results of benchmarks"):
        report.load(rows["out"])
    assert benchmarks.main(["good", *rows["folder"]]) == 1
    assert "not results of benchmarks" in capsys.readouterr().err
    assert (rows["out"] / "results.json").read_text() == content


@pytest.mark.parametrize("bad", [{"value": math.nan}, {"value": math.inf}, {"samples": {"a": [1.0, math.nan]}}])
def test_a_figure_that_is_not_finite_is_refused(bad):
    with pytest.raises(CourseError, match=r"small: measured .* not all finite"):
        replace(REACHED, **bad)


@pytest.mark.parametrize(("kind", "holds"), [("at least", [False, True, True]), ("at most", [True, True, False])])
def test_a_bound_includes_its_value(kind, holds):
    assert [Bound(kind, 1.5).holds(value) for value in (1.49, 1.5, 1.51)] == holds


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.5834, "0.583"), (12.44, "12.4"), (1530.4, "1530"), (0.0123, "0.0123"), (-8, "-8.00")],
)
def test_three_digits_are_shown(value, shown):
    assert digits(value) == shown


# --- measuring


def test_sides_take_turns_and_neither_is_always_first():
    order = []
    samples = take_turns({name: lambda name=name: order.append(name) or float(len(order)) for name in "ab"}, 3)
    assert "".join(order) == "abbaab"
    assert samples == {"a": [1.0, 4.0, 5.0], "b": [2.0, 3.0, 6.0]}


def test_a_ratio_is_that_of_the_medians():
    figure = ratio({"a": [10.0, 2.0, 12.0], "b": [1.0, 2.0, 100.0]}, "a", "b")
    assert (figure["value"], figure["low"], figure["high"]) == (5.0, 0.12, 10.0)
    assert figure["detail"] == "a 10.0 s, b 2.00 s"


def test_what_a_process_returns_and_what_it_is_told(bench):
    assert bench.call("benchmarks.batches:shape_of", network="01_lenet_mnist:LeNet") == [1, 28, 28]
    with pytest.raises(CourseError, match=r"(?s)shape_of failed \(1\).*unexpected keyword argument"):
        bench.call("benchmarks.batches:shape_of", size=3)


def test_measured_processes_see_no_settings_of_the_course_s_and_no_gpu(monkeypatch):
    monkeypatch.setenv("PALM_EPOCHS", "1")
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    monkeypatch.setenv("PALM_THREADS", "2")
    env = environment(EXTRA="x")
    assert "PALM_EPOCHS" not in env and "PADDLE_TRAINERS_NUM" not in env
    assert (env["PALM_THREADS"], env["EXTRA"], env["CUDA_VISIBLE_DEVICES"]) == ("2", "x", "")


def test_the_user_s_cache_is_left_alone(bench, palm_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("PALM_CACHE", str(tmp_path / "users"))
    with bench.fresh_cache() as cache:
        list(data_loader(palm_folder / "PALM-Training400")())
        assert list(cache.glob("*.pixels"))
    assert os.environ["PALM_CACHE"] == str(tmp_path / "users")
    assert not cache.exists() and not (tmp_path / "users").exists()


def test_a_full_disk_is_said_before_anything_is_measured(bench):
    with pytest.raises(CourseError, match=r"needs 1e\+09 GB in .*TMPDIR"):
        bench.need_room(1e9)


def test_rounds_can_be_chosen(bench):
    assert bench.plan(scaling.FULL, scaling.QUICK) == scaling.QUICK
    assert replace(bench, rounds=7).plan(scaling.FULL, scaling.QUICK).rounds == 7
    assert replace(bench, quick=False).plan(scaling.FULL, scaling.QUICK) == scaling.FULL


def test_photographs_are_of_the_size_asked_for_and_no_two_alike(tmp_path):
    data = photographs.make(tmp_path, 12, 3, (60, 62))
    files = [*Path(data.DATADIR).iterdir(), *Path(data.DATADIR2).iterdir()]
    assert len({file.read_bytes() for file in files}) == 15
    assert {cv2.imread(str(file)).shape for file in files} == {(60, 62, 3)}
    with open(data.CSVFILE, encoding="utf-8") as f:
        assert [row["Label"] for row in csv.DictReader(f)] == ["1", "0", "1"]
    assert len(valid_data_loader(data.DATADIR2, data.CSVFILE)) == 1
    assert photographs.mean_bytes(Path(data.DATADIR)) > 500


@pytest.mark.parametrize("links", [True, False])
def test_many_photographs_are_many_to_the_cache(links, palm_folder, tmp_path, monkeypatch):
    if not links:
        monkeypatch.setattr(os, "link", lambda *paths: (_ for _ in ()).throw(OSError("too many links")))
    monkeypatch.setenv("PALM_CACHE", str(tmp_path / "cache"))
    sources = sorted((palm_folder / "PALM-Training400").iterdir())
    (tmp_path / "many").mkdir()
    folder = scaling.linked(sources, tmp_path / "many", 30)
    reader = data_loader(folder)
    assert len(reader.files) == 30 and set(reader.labels) == {0, 1}
    assert {file.stat().st_nlink > 1 for file in reader.files} == {links}
    list(reader())
    assert len(list((tmp_path / "cache").glob("*.pixels"))) == 30


def test_memory_is_followed_while_it_is_used_and_after():
    with scaling_side.Watch() as watch:
        # Mapped, so that it cannot be what an earlier test had and the process still holds.
        held = mmap.mmap(-1, 40_000_000)
        held.write(bytes(len(held)))
        peak = watch._process.memory_info().rss
        watch._look()
        held.close()
    assert watch.peak >= peak and watch.growth >= peak - watch.start > 30e6
    assert not watch._thread.is_alive()


def test_a_loss_that_is_not_finite_ends_the_timing():
    losses = iter([1.0, 0.5, math.nan, 0.1])
    with pytest.raises(ValueError, match="the loss is nan after 3 steps"):
        batches.timed(lambda: next(losses), warm_up=1, steps=3)
    assert len(batches.timed(lambda: 1.0, warm_up=2, steps=3)) == 3


def test_different_networks_are_not_compared(bench, monkeypatch):
    found = {"seconds": [1.0], "parameters": 10, "tensors": 2, "version": "2.0"}
    monkeypatch.setattr(steps, "in_paddle", lambda bench, **arguments: found)
    monkeypatch.setattr(steps, "in_pytorch", lambda bench, **arguments: {**found, "tensors": 3})
    with pytest.raises(CourseError, match=r"LeNet: not the same network.*\(10, 2\).*\(10, 3\)"):
        steps.measure(bench)


def test_the_better_of_threads_and_processes_counts(bench, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    lenets = "01_lenet_mnist:LeNet", "02_ichallenge_pm:LeNet"
    monkeypatch.setattr(steps, "QUICK", replace(steps.QUICK, steps=dict.fromkeys(lenets, 2), required=lenets[1:]))
    found = {"parameters": 10, "tensors": 2}
    seconds = {1: 3.0, 2: 1.8}
    monkeypatch.setattr(steps, "in_paddle", lambda bench, number, **arguments: {**found, "seconds": [seconds[number]]})
    monkeypatch.setattr(steps, "in_pytorch", lambda bench, **arguments: {**found, "seconds": [2.0]})
    digits_only, required = steps.measure(bench)
    assert (digits_only.value, digits_only.bound, digits_only.unit) == (1.5, None, "of PyTorch's time")
    assert (required.value, required.met, required.unit) == (0.9, True, "of PyTorch's time, by 2 processes")
    seconds[2] = 3.5
    required = steps.measure(bench)[1]
    assert (required.value, required.met, required.unit) == (1.5, False, "of PyTorch's time, by threads")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert list(steps.measure(bench)[1].samples) == ["threads", "PyTorch"]


def test_without_pytorch_it_is_said_how_to_get_it(bench, tmp_path):
    with pytest.raises(CourseError, match=r"PyTorch is not installed.*make bench"):
        steps.in_pytorch(replace(bench, torch_python=tmp_path / "python"))


# --- the tutorial's way


def test_the_tutorial_s_readers_yield_the_same_images(palm_folder):
    training, validation = palm_folder / "PALM-Training400", palm_folder / "PALM-Validation400"
    table = palm_folder / "labels.csv"

    def pairs(reader):
        found = [(i.tobytes(), float(y[0])) for images, labels in reader() for i, y in zip(images, labels, strict=True)]
        assert len(found) == len(set(found))
        return set(found)

    assert pairs(tutorial.data_loader(training, 5)) == pairs(data_loader(training, 5))
    ours, theirs = valid_data_loader(validation, table, 3), tutorial.valid_data_loader(validation, table, 3)
    for (a, a_labels), (b, b_labels) in zip(ours(), theirs(), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a_labels, b_labels)


def test_the_tutorial_s_reader_decodes_in_every_epoch(palm_folder, monkeypatch):
    decoded = []
    imread = cv2.imread
    monkeypatch.setattr(cv2, "imread", lambda name: decoded.append(name) or imread(name))
    reader = tutorial.data_loader(palm_folder / "PALM-Training400")
    for _ in range(2):
        list(reader())
    assert len(decoded) == 2 * 12


class Remembering(Constant):
    """Notes whether its answers can be differentiated, in training and in evaluation mode."""

    def __init__(self):
        super().__init__(0.5)
        self.seen = []

    def forward(self, x):
        logits = super().forward(x)
        self.seen.append((self.training, not logits.stop_gradient))
        return logits


def test_the_tutorial_s_validation_keeps_the_graph_and_the_course_s_does_not(readers, train, tmp_path):
    model = Remembering()
    tutorial.train_epoch(model, momentum(model), *readers.values(), tmp_path)
    assert set(model.seen) == {(True, True), (False, True)}
    model = Remembering()
    train(model, momentum(model), epochs=1)
    assert set(model.seen) == {(True, True), (False, False)}


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


def test_a_training_waits_at_the_gate_and_says_how_long_an_epoch_took(readers):
    said = []
    gate = Gate(lambda: said.append("waits") or "go\n", said.append)
    reader = Waiting(readers["train_loader"], gate)
    assert len(reader) == 3 and reader.batch_size == 4
    for _ in range(2):
        assert len(list(reader())) == 3
    gate.end()
    assert [s for s in said if s == "waits" or s == "ready"] == ["ready", "waits", "waits"]
    assert len([float(s) for s in said if s not in ("ready", "waits")]) == 2


def test_a_training_that_nobody_waits_for_ends():
    with pytest.raises(SystemExit, match="nobody waits"):
        Gate(lambda: "", lambda text: None).wait()
