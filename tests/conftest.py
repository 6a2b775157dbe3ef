"""What the tests share: tiny photographs, their readers, and train_pm on them."""

import cv2
import nbformat
import numpy as np
import pytest


@pytest.fixture(autouse=True, scope="module")
def _own_environment():
    """No test depends on the environment or the locale it was started in; a module's own fixtures come later."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("DATA", "EPOCHS", "IMAGES", "EXERCISES", "REQUIRE_REAL", "RESUME", "KEEP_RESULTS"):
            environment.delenv(f"PALM_{name}", raising=False)
        environment.setenv("PALM_LANG", "en")
        yield


@pytest.fixture
def palm_folder(tmp_path):
    """12 training and 7 validation photographs in iChallenge-PM's layout; returns their root.

    Pathologic ones are brighter, so that a network can tell them apart.
    """
    rng = np.random.default_rng(0)
    train, valid = tmp_path / "palm" / "PALM-Training400", tmp_path / "palm" / "PALM-Validation400"
    for folder in (train, valid):
        folder.mkdir(parents=True)
    for i, letter in enumerate("PPPPPPNNNNHH", 1):
        write_photograph(train / f"{letter}{i:04}.jpg", rng, bright=letter == "P")
    rows = ["ID,imgName,Label,Fovea_X,Fovea_Y"]
    for i, label in enumerate((1, 0, 1, 0, 1, 0, 1), 1):
        write_photograph(valid / f"V{i:04}.jpg", rng, bright=bool(label))
        rows.append(f"{i},V{i:04}.jpg,{label},10.5,12.25")
    (tmp_path / "palm" / "labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "palm"


def write_photograph(path, rng, *, bright=False, size=(40, 48)):
    image = rng.integers(0, 60, (*size, 3)) + (150 if bright else 20)
    assert cv2.imwrite(str(path), image.astype(np.uint8))


@pytest.fixture
def micro(monkeypatch):
    """Let the sample 'tiny' be tinier still, for tests that make it more than once."""
    from palm_utils import sample

    monkeypatch.setitem(sample.SIZES, "tiny", sample.Size(1, 1, 1, 3, (20, 10), (20, 10), seconds=1))


@pytest.fixture
def images():
    """20 pictures of CIFAR-10's size and random pixels."""
    return np.random.default_rng(0).integers(0, 256, (20, 3, 32, 32)).astype(np.uint8)


@pytest.fixture
def labels():
    """Of `images`: each of the ten classes twice."""
    return np.arange(20) % 10


@pytest.fixture
def readers(palm_folder):
    from palm_utils.readers import data_loader, valid_data_loader

    validation = valid_data_loader(palm_folder / "PALM-Validation400", palm_folder / "labels.csv", 4)
    return {"train_loader": data_loader(palm_folder / "PALM-Training400", 4), "valid_loader": validation}


@pytest.fixture
def train(readers, tmp_path):
    """train_pm on the tiny data, checkpoints in tmp_path, without a progress bar."""

    from palm_utils import training

    def run(model, optimizer, **options):
        return training.train_pm(model, optimizer, **{"folder": tmp_path, "progress": False, **readers, **options})

    return run


@pytest.fixture
def small_network():
    """The cell of a chapter that defines the network Small."""
    return """
class Small(paddle.nn.Layer):
    def __init__(self, num_classes=1):
        super().__init__()
        self.pool = paddle.nn.AdaptiveAvgPool2D(2)
        self.fc = paddle.nn.Linear(12, num_classes)

    def forward(self, x):
        return self.fc(paddle.flatten(self.pool(x), 1))
"""


@pytest.fixture
def real_data(palm_folder, monkeypatch):
    """The tiny photographs are found, and taken for real ones."""
    monkeypatch.delenv("PALM_SAMPLE", raising=False)
    monkeypatch.setenv("PALM_DATA", str(palm_folder.parent))


@pytest.fixture
def small_course(real_data, small_network, tmp_path, monkeypatch):
    """A course whose one chapter, 03_small, defines the network Small, on the tiny photographs taken for real ones."""
    from palm_course import chapters as notebooks

    folder = tmp_path / "notebooks"
    folder.mkdir()
    model = nbformat.v4.new_code_cell(small_network, metadata={"tags": ["model"]})
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import paddle"), model])
    nbformat.write(book, folder / "03_small.ipynb")
    monkeypatch.setattr(notebooks, "FOLDER", folder)
    return folder
