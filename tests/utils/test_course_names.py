"""A student's own notebook, written from the tutorial alone, runs against palm_utils; so do old import lines."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import palm_utils
from palm_course import chapters as notebooks

IMPORTS = """
from palm_utils import DATADIR, DATADIR2, CSVFILE, EPOCH_NUM
from palm_utils import transform_img, data_loader, valid_data_loader, train_pm, evaluation
import os
import cv2
import numpy as np
import paddle
import paddle.nn.functional as F
"""

LOOK = """
img = cv2.imread(os.path.join(DATADIR, sorted(os.listdir(DATADIR))[0]))
x = transform_img(img)
train_loader = data_loader(DATADIR, batch_size=10, mode='train')
data_reader = train_loader()
data = next(data_reader)
print(data[0].shape, data[1].shape)
eval_loader = data_loader(DATADIR, 10, 'eval')
data = next(eval_loader())
valid_loader = valid_data_loader(DATADIR2, CSVFILE)
for batch_id, (x_data, y_data) in enumerate(valid_loader()):
    print(batch_id, x_data.shape, y_data.shape, x_data.dtype, y_data.dtype)
"""

MODEL = """
class Small(paddle.nn.Layer):
    def __init__(self, num_classes=1):
        super(Small, self).__init__()
        self.pool = paddle.nn.AdaptiveAvgPool2D(2)
        self.fc = paddle.nn.Linear(in_features=12, out_features=num_classes)

    def forward(self, x):
        x = self.pool(x)
        x = paddle.reshape(x, [x.shape[0], -1])
        return self.fc(x)
"""

OWN_LOOP = """
model = Small(num_classes=1)
opt = paddle.optimizer.Momentum(learning_rate=0.001, momentum=0.9, parameters=model.parameters())
for epoch in range(EPOCH_NUM):
    for batch_id, data in enumerate(train_loader()):
        x_data, y_data = data
        img = paddle.to_tensor(x_data)
        label = paddle.to_tensor(y_data)
        logits = model(img)
        loss = F.binary_cross_entropy_with_logits(logits, label)
        avg_loss = paddle.mean(loss)
        avg_loss.backward()
        opt.step()
        opt.clear_grad()
"""

TRAIN = """
model = Small(num_classes=1)
opt = paddle.optimizer.Momentum(learning_rate=0.001, momentum=0.9, parameters=model.parameters())
train_pm(model, opt)
assert os.path.exists('palm.pdparams') and os.path.exists('palm.pdopt')
evaluation(model, params_file_path="palm.pdparams")
evaluation(model, 'palm.pdparams')
model.set_state_dict(paddle.load('palm.pdparams'))
"""


def test_a_notebook_written_from_the_tutorial_alone(palm_folder, tmp_path, monkeypatch):
    monkeypatch.delenv("PALM_SAMPLE", raising=False)
    monkeypatch.setenv("PALM_DATA", str(palm_folder.parent))
    cells = [nbformat.v4.new_code_cell(s.strip()) for s in (IMPORTS, LOOK, MODEL, OWN_LOOP, TRAIN)]
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


def test_the_tutorial_s_names_are_those_of_the_modules():
    for name in MADE:
        home = "training" if name in ("train_pm", "evaluation") else "readers"
        assert getattr(palm_utils, name) is getattr(sys.modules[f"palm_utils.{home}"], name)
    with pytest.raises(AttributeError, match="no attribute 'train_mp'"):
        palm_utils.train_mp  # noqa: B018
    assert {"train_pm", "DATADIR", "exercises", "diagrams"} <= set(dir(palm_utils))


NOTEBOOKS = sorted((Path(palm_utils.__file__).parents[1] / "notebooks").rglob("*.ipynb"))
LINES = sorted(
    {
        line.strip()
        for path in NOTEBOOKS
        if ".ipynb_checkpoints" not in path.parts
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
        for line in cell.source.splitlines()
        if re.match(r"\s*(from|import) palm_", line)
    }
)


def test_the_import_lines_of_the_notebooks_are_found():
    assert "from palm_utils.seeds import seed_everything" in LINES and len(LINES) > 20


@pytest.mark.parametrize("line", LINES)
def test_every_import_line_that_stands_in_a_notebook_works(line):
    names = {}
    exec(line, names)
    assert all(names[name.strip()] is not None for name in line.split(" import ")[1].split(","))


def test_they_work_in_a_fresh_process_too_without_a_word():
    done = python("\n".join(LINES))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_modules_that_have_moved_are_the_modules_themselves():
    from palm_course import claims
    from palm_course.results import recipes
    from palm_utils import errors, figures, machine, messages, seeds

    assert palm_utils.diagrams is figures and palm_utils.exercises is sys.modules["palm_course.exercises"]
    assert seeds.seed_everything is machine.seed_everything and errors.CourseError is messages.CourseError
    assert palm_utils.claims.claim is claims.claim and palm_utils.recipes.STEADY is recipes.STEADY
