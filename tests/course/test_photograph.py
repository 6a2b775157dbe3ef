"""A photograph from anywhere: cut to the eye, measured, and judged by a network with its trained parameters."""

import cv2
import numpy as np
import paddle
import pytest

from palm_course import photograph
from palm_course.command import main
from palm_utils import machine
from palm_utils.messages import DataError
from palm_utils.readers import transform_img


def eye(height=300, width=500, middle=(150, 260), radius=120, colour=(30, 60, 140)):
    """A disc of one colour, blue first, on black."""
    img = np.zeros((height, width, 3), np.uint8)
    return cv2.circle(img, middle[::-1], radius, colour, -1)


def test_a_photograph_is_cut_to_the_eye():
    img = photograph.crop(eye())
    assert img.shape[0] == img.shape[1] and abs(img.shape[0] - 241) <= 3
    assert img[120, 120].tolist() == [30, 60, 140] and not img[0, 0].any()
    again = photograph.crop(img)
    assert abs(again.shape[0] - img.shape[0]) <= 2, "what is cut already stays as it is"
    cut_off = photograph.crop(eye(height=200, middle=(100, 260)))
    assert cut_off.shape[0] == cut_off.shape[1] and not cut_off[:10].any(), "round stays round"
    with pytest.raises(DataError, match="black"):
        photograph.crop(np.zeros((50, 60, 3), np.uint8))


@pytest.mark.parametrize(
    ("img", "is_fundus"),
    [
        (eye(), True),
        (eye(colour=(90, 90, 90)), False),
        (eye(colour=(140, 60, 30)), False),
        (np.full((100, 100, 3), (30, 60, 140), np.uint8), False),
    ],
    ids=["eye", "grey", "blue", "without a border"],
)
def test_what_is_no_fundus_photograph(img, is_fundus):
    found = photograph.looks(photograph.crop(img))
    assert found.is_fundus == is_fundus
    assert (photograph.warning(found) == "") == is_fundus
    assert 0 <= found.redness <= 1


def test_the_command_predicts_and_warns(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(machine, "_threads", None)

    def small():
        return paddle.nn.Sequential(paddle.nn.AdaptiveAvgPool2D(1), paddle.nn.Flatten(), paddle.nn.Linear(3, 1))

    model = small()
    paddle.save(model.state_dict(), str(tmp_path / "palm.pdparams"))
    monkeypatch.setattr("palm_course.results.train.find_network", lambda name: ("06_resnet", small))
    cv2.imwrite(str(tmp_path / "eye.png"), eye())
    cv2.imwrite(str(tmp_path / "grey.png"), eye(colour=(90, 90, 90)))
    (tmp_path / "text.jpg").write_text("no picture")
    files = [str(tmp_path / name) for name in ("eye.png", "grey.png", "text.jpg")]
    options = ["--params", str(tmp_path / "palm.pdparams"), "--maps", str(tmp_path / "maps")]
    assert main(["predict", *files, *options]) == 1
    said = capsys.readouterr().out
    image = transform_img(photograph.crop(eye()))
    chance = paddle.nn.functional.sigmoid(model(paddle.to_tensor(image[None]))).item()
    assert f"eye.png: probability of pathologic myopia {chance:.2f}\n" in said
    assert said.count("does not look like a fundus photograph") == 1
    assert "text.jpg: " in said and "no diagnosis" in said
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["eye.map.png", "grey.map.png"]
    assert machine._threads is not None  # the process was set up for computing

    (tmp_path / "right").mkdir()
    cv2.imwrite(str(tmp_path / "right" / "eye.png"), eye())
    twice = [str(tmp_path / name) for name in ("eye.png", "right/eye.png")]
    assert main(["predict", *twice, *options[:-1], str(tmp_path / "both")]) == 0
    assert sorted(path.name for path in (tmp_path / "both").iterdir()) == ["1-eye.map.png", "2-eye.map.png"]
