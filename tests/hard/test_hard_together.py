"""Two notebooks, or two commands, at the same work at the same time."""

import os
import subprocess

import palm_archives
import pytest
from lab import lab
from test_hard_interruption import killing
from test_hard_kernels import SET_UP, Kernel
from test_hard_places import TINY, clone, make, make_command  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes and signals as Unix has them")


@pytest.fixture
def two_kernels(palm_folder, tmp_path):
    kernels = [Kernel(tmp_path, PALM_CACHE=str(tmp_path / "cache")) for _ in range(2)]
    yield kernels
    for kernel in kernels:
        kernel.close()


def test_two_notebooks_that_train_in_one_folder(two_kernels):
    first, second = two_kernels
    train = "history = train_pm(model, optimizer, epochs={}, progress=False, log_every=1, resume={}, **loaders)"
    for kernel in two_kernels:
        assert kernel.run(SET_UP)[1] is None
    answers = []

    def meanwhile():
        answers.append(second.run(f"try: {train.format(2, False)}\nexcept Exception as error: print(error)"))
        first.manager.interrupt_kernel()

    out, error = first.run(train.format(1000, False), until="epoch: 2, batch_id: 0", then=meanwhile)
    assert error == "KeyboardInterrupt"
    # The second was refused, at once, with what to do; the first was not disturbed and has saved what it says.
    ((said, error),) = answers
    assert error is None and "Another training is writing palm.pdparams" in said and "folder" in said
    done = int(out.partition("holds the run after ")[2].split()[0])
    assert done >= 2
    out, error = second.run(f"{train.format(done + 1, True)}\nprint(len(history))")
    assert error is None and out.splitlines()[-1] == str(done + 1)


@pytest.mark.parametrize("kind", ["Sample", "Prepared", "Cache", "Download"])
def test_four_processes_that_make_the_same_at_once(tmp_path, kind):
    told = killing("at_once", kind, tmp_path / "work")
    assert told["ended"] == [0] * 4 and told["is"] == "new"
    assert told["left"] == told["whole"]


def test_make_test_beside_a_notebook_that_trains(clone, tmp_path):  # noqa: F811
    """Chapter 2 is run by `make test` while its reader trains in it, and both make their sample."""
    notebooks = clone / "notebooks"
    palm_archives.write(
        notebooks, {"checkpoints/02_lenet/palm.pdparams": b"mine", "checkpoints/02_lenet/notes": b"mine"}
    )
    kernel = Kernel(notebooks, **TINY, PYTHONPATH=str(clone))
    try:
        held = "from palm_utils.checkpoints import Checkpoint\nheld = []\n"
        held += "for name in ('02_lenet', '02_lenet_relu'):\n"
        held += "    held.append(Checkpoint(f'checkpoints/{name}', 'palm').held()); held[-1].__enter__()"
        assert kernel.run(held)[1] is None
        before = palm_archives.tree(notebooks)
        out = make("test-notebooks", "CH=02", "JOBS=1", clone=clone, **TINY)
        assert " passed" in out and "failed" not in out
        assert palm_archives.tree(notebooks) == before
        assert kernel.run("from palm_utils import datasets; print(datasets.palm().kind)")[0] == "sample\n"
    finally:
        kernel.close()


def begun(chapter, folder):
    """Start `make test` of a chapter in a clone."""
    environment = os.environ | TINY | {"PYTHONPATH": str(folder), "MAKEFLAGS": "", "PALM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(make_command("test-notebooks", chapter, "JOBS=1"), cwd=folder, env=environment, **pipes)


def test_make_test_beside_make_lab(clone, tmp_path):  # noqa: F811
    """A chapter is open in JupyterLab with its kernel while `make test` runs it, and is saved while that goes on."""
    with lab(clone, tmp_path) as server:
        asked = {"path": "01_lenet_mnist.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
        status, session = server.allowed("POST", "/api/sessions", asked)
        assert status == 201
        kernel = f"/api/kernels/{session['kernel']['id']}"
        status, opened = server.allowed("GET", "/api/contents/01_lenet_mnist.ipynb")
        assert status == 200
        before = palm_archives.tree(clone / "notebooks")
        test = begun("CH=01", clone)
        saved = {key: opened[key] for key in ("type", "format", "content")}
        assert server.allowed("PUT", "/api/contents/01_lenet_mnist.ipynb", saved)[0] == 200
        said = test.communicate()[0]
        assert test.returncode == 0, said
        after = palm_archives.tree(clone / "notebooks")
        assert before.keys() <= after.keys()
        changed = {name for name in after if after[name] != before.get(name)}
        assert changed <= {"01_lenet_mnist.ipynb", ".ipynb_checkpoints/01_lenet_mnist-checkpoint.ipynb"}
        assert server.allowed("GET", "/api/contents/01_lenet_mnist.ipynb")[1]["content"] == opened["content"]
        assert server.allowed("GET", kernel)[0] == 200


def test_make_test_twice_at_once(clone):  # noqa: F811
    processes = [begun("CH=02", clone) for _ in range(2)]
    for process in processes:
        assert process.wait() == 0, process.stdout.read()
