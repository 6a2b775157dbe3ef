"""Work killed in the middle, and gone on with."""

import json
import os
import signal

import places
import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes are forked and killed")

FOLDERS = [str(places.ROOT / "tests" / folder) for folder in (".", "course", "hard")]


def killing(function, *arguments, **variables):
    """Call a function of killing.py in a process of its own; return what it printed last, as JSON."""
    script = f"import sys; sys.path[:0] = {FOLDERS!r}; import killing; killing.{function}(*sys.argv[1:])"
    out = places.run("-W", "ignore", "-c", script, *arguments, PALM_THREADS="1", **variables)
    return json.loads(out.strip().splitlines()[-1])


def test_a_training_killed_at_30_moments_and_at_30_more_by_the_clock(palm_folder, tmp_path):
    told = killing("training", palm_folder, tmp_path / "runs", 7, PALM_CACHE=tmp_path / "cache")
    whole = told["whole"]
    digests, best = whole["digests"], best_until(whole["history"])
    for moments in (told["moments"], told["clock"]):
        saved = 0
        for moment in moments:
            assert moment["ended"], moment
            found = moment["found"]
            if found is None:  # nothing was saved yet; with the clock, the beginning of another run
                assert not saved or moments is told["clock"]
                continue
            # What lies there loads as it is, and resuming finds all of one and the same epoch.
            done = len(found["rows"])
            assert found["rows"] == list(range(done)) and found["resumed"] == digests[done - 1]
            assert found["palm"] in digests[max(0, done - 2) : done]
            assert found["palm.best"] in [digests[best[epoch]] for epoch in range(max(0, done - 2), done)]
            assert done >= saved or moments is told["clock"]
            saved = done
    assert told["moments"][-1]["found"]["rows"][-1] > 2
    assert {moment["part"] for moment in told["moments"]} == {"batches", "validation", "saving"}
    for finished in (told["last"], *told["runs"]):
        assert finished == {key: whole[key] for key in ("parameters", "history")}
    assert len(told["clock"]) >= 30 and told["runs"]


def best_until(history):
    """The best epoch of those up to each."""
    rank = [(-row["valid_accuracy"], row["valid_loss"]) for row in history]
    return [min(range(epoch + 1), key=rank.__getitem__) for epoch in range(len(history))]


def test_a_training_interrupted_at_30_moments_in_one_process(palm_folder, tmp_path):
    """As Ctrl-C and the notebook's stop button do; the same process goes on each time."""
    told = killing("interrupting", palm_folder, tmp_path / "runs", 11, PALM_CACHE=tmp_path / "cache")
    whole = told["whole"]
    assert len(told["moments"]) == 30
    assert told["last"] == {key: whole[key] for key in ("parameters", "history")}
    best, saved = best_until(whole["history"]), 0
    for moment in told["moments"]:
        assert moment["threads"] == []
        found = moment["found"]
        if found is None:
            assert saved == 0
            continue
        done = len(found["rows"])
        # What was begun is completed: the files are of one and the same epoch at once.
        assert done >= saved and found["palm"] == found["resumed"] == whole["digests"][done - 1]
        assert found["palm.best"] == whole["digests"][best[done - 1]]
        saved = done
    assert saved > 2


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
@pytest.mark.parametrize("kind", ["Sample", "Prepared", "Cache", "Download"])
def test_making_data_cut_off_at_30_moments(tmp_path, kind, signum):
    told = killing("made", kind, tmp_path / "work", 5, 30, int(signum))
    assert told["events"] > 50
    for moment in told["moments"]:
        assert moment["ended"] == signum, moment
        # As before, absent or made anew; never half of it.
        assert moment["is"] in ("", "old", "new"), moment
        # Another try makes it, and leaves nothing of the first, but for an old sample that was being removed.
        after = {name: content for name, content in moment["after"].items() if kind != "Sample" or ".old/" not in name}
        assert after == told["whole"], moment["at"]
    assert len({moment["is"] for moment in told["moments"]}) > 1
    # Ctrl-C leaves nothing, unless it comes while that is being removed.
    left = [m for m in told["moments"] if any(name.endswith(".old") or ".part/" in name for name in m["left"])]
    assert signum == signal.SIGKILL or len(left) < 3
