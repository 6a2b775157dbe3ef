"""A student's own notebook, written from the tutorial alone, runs against palm_utils."""

import subprocess
import sys

import nbformat
import pytest

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


def test_importing_the_package_loads_neither_paddle_nor_opencv():
    code = "import sys, palm_utils; print({'paddle', 'cv2', 'sklearn', 'matplotlib'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_a_name_that_is_not_there():
    import palm_utils

    with pytest.raises(AttributeError, match="no attribute 'train_mp'"):
        palm_utils.train_mp  # noqa: B018
    assert {"train_pm", "DATADIR"} <= set(dir(palm_utils))
