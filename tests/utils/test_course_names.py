"""A student's own notebook, written from the tutorial alone, runs against palm_utils; so do old import lines."""

import ast
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import palm_utils
from palm_course import chapters as notebooks

CELLS = [
    """
from palm_utils import DATADIR, DATADIR2, CSVFILE, EPOCH_NUM
from palm_utils import transform_img, data_loader, valid_data_loader, train_pm, evaluation
import os
import cv2
import numpy as np
import paddle
import paddle.nn.functional as F""",
    """
img = cv2.imread(os.path.join(DATADIR, sorted(os.listdir(DATADIR))[0]))
x = transform_img(img)
train_loader = data_loader(DATADIR, batch_size=10, mode='train')
data = next(train_loader())
eval_loader = data_loader(DATADIR, 10, 'eval')
data = next(eval_loader())
valid_loader = valid_data_loader(DATADIR2, CSVFILE)
for batch_id, (x_data, y_data) in enumerate(valid_loader()):
    print(batch_id, x_data.shape, y_data.shape, x_data.dtype, y_data.dtype)""",
    """
model = Small(num_classes=1)
opt = paddle.optimizer.Momentum(learning_rate=0.001, momentum=0.9, parameters=model.parameters())
for epoch in range(EPOCH_NUM):
    for batch_id, data in enumerate(train_loader()):
        x_data, y_data = data
        logits = model(paddle.to_tensor(x_data))
        loss = F.binary_cross_entropy_with_logits(logits, paddle.to_tensor(y_data))
        avg_loss = paddle.mean(loss)
        avg_loss.backward()
        opt.step()
        opt.clear_grad()""",
    """
model = Small(num_classes=1)
opt = paddle.optimizer.Momentum(learning_rate=0.001, momentum=0.9, parameters=model.parameters())
train_pm(model, opt)
assert os.path.exists('palm.pdparams') and os.path.exists('palm.pdopt')
evaluation(model, params_file_path="palm.pdparams")
evaluation(model, 'palm.pdparams')
model.set_state_dict(paddle.load('palm.pdparams'))""",
]


def test_a_notebook_written_from_the_tutorial_alone(real_data, small_network, tmp_path):
    cells = [nbformat.v4.new_code_cell(s.strip()) for s in (*CELLS[:2], small_network, *CELLS[2:])]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "mine.ipynb")
    notebooks.execute(tmp_path / "mine.ipynb", tmp_path / "done.ipynb")
    done = nbformat.read(tmp_path / "done.ipynb", as_version=4)
    assert "0 (7, 3, 224, 224) (7, 1) float32 float32" in done.cells[1].outputs[0].text
    printed = "".join(output.get("text", "") for output in done.cells[4].outputs)
    assert printed.count("[validation] accuracy/loss: ") == 5
    assert printed.count("7 images: loss=") == 2


def python(code, **variables):
    return subprocess.run([sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True)


def test_a_star_import_gives_the_tutorial_s_names_and_nothing_else():
    code = "from palm_utils import *; print(*sorted(n for n in dir() if not n.startswith('_')))"
    names = python(code, PALM_SAMPLE="tiny").stdout.split()
    assert names == sorted(["DATADIR", "DATADIR2", "CSVFILE", "EPOCH_NUM", *MADE])


MADE = ["data_loader", "evaluation", "train_pm", "transform_img", "valid_data_loader"]


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="no attribute 'train_mp'"):
        palm_utils.train_mp  # noqa: B018
    assert {"train_pm", "DATADIR", "exercises", "diagrams"} <= set(dir(palm_utils))


NOTEBOOKS = sorted((Path(palm_utils.__file__).parents[1] / "notebooks").rglob("*.ipynb"))
LINES = sorted(
    {
        ast.unparse(node)
        for path in NOTEBOOKS
        if ".ipynb_checkpoints" not in path.parts
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and "palm_" in cell.source
        for node in ast.walk(ast.parse(re.sub(r"(?m)^\s*[!%].*", "pass", cell.source)))
        if isinstance(node, ast.Import | ast.ImportFrom) and "palm_" in ast.unparse(node)
    }
)
# Of the notebooks that students have from before.
OLD_LINES = """\
from palm_utils import augment, diagrams, figures, layers, recipes, results
from palm_utils import choose
from palm_utils import comparison, diagrams, figures, metrics, results
from palm_utils import diagrams, figures, layers, metrics, results
from palm_utils import diagrams, figures, layers, recipes, results
from palm_utils import diagrams, figures, layers, results
from palm_utils import exercises
from palm_utils import figures, highlevel, layers
from palm_utils.checkpoints import Checkpoint
from palm_utils.claims import claim
from palm_utils.datasets import cifar10, palm
from palm_utils.datasets import mnist
from palm_utils.datasets import palm
from palm_utils.errors import CourseError
from palm_utils.highlevel import Batches, CifarRun, Logbook
from palm_utils.highlevel import CifarRun
from palm_utils.history import History, describe_machine, machine_line
from palm_utils.history import machine_line
from palm_utils.readers import Reader, data_loader, read_image, transform_img, valid_data_loader
from palm_utils.readers import data_loader, read_image, transform_img, valid_data_loader
from palm_utils.readers import data_loader, valid_data_loader
from palm_utils.readers import read_image, valid_data_loader
from palm_utils.recipes import STEADY
from palm_utils.seeds import seed_everything
from palm_utils.training import evaluation, predict, train_pm
from palm_utils.training import predict, train_pm
from palm_utils.training import use_device
"""


def test_every_import_line_that_stands_in_a_notebook_works_without_a_word():
    assert len(LINES) > 20
    done = python("\n".join(LINES) + "\n" + OLD_LINES)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("palm_utils:diagrams", "palm_course.diagrams"),
        ("palm_utils:exercises", "palm_course.exercises"),
        ("palm_utils.seeds:seed_everything", "palm_utils.machine:seed_everything"),
        ("palm_utils.errors:CourseError", "palm_utils.messages:CourseError"),
        ("palm_utils.claims:claim", "palm_course.claims:claim"),
        ("palm_utils.recipes:STEADY", "palm_course.results.recipes:STEADY"),
        *((f"palm_utils:{name}", f"palm_utils.readers:{name}") for name in MADE if "data" in name or "img" in name),
        *((f"palm_utils:{name}", f"palm_utils.training:{name}") for name in ("train_pm", "evaluation")),
    ],
)
def test_what_has_moved_is_the_thing_itself(old, new):
    assert pkgutil.resolve_name(old) is pkgutil.resolve_name(new)
