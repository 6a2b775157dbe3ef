"""Exercise 7.1: the reference passes, so do other right ways; wrong answers are named."""

import numpy as np
import pytest
from exercise_verdicts import assert_right, assert_wrong, reference

from palm_utils import highlevel


def test_reference_solution_passes():
    assert_right("7.1", reference("7.1", {"np": np}))


def exact(batch, mean, std):
    return (batch.transpose(0, 2, 3, 1) * np.array(std) + np.array(mean)) * 255


def by_adding_a_half(batch, mean, std):
    return np.floor(np.clip(exact(batch, mean, std), 0, 255) + 0.5).astype("uint8")


def by_channel(batch, mean, std):
    out = np.empty((len(batch), *batch.shape[2:], 3), np.uint8)
    for channel in range(3):
        values = 255 * (batch[:, channel] * std[channel] + mean[channel])
        out[..., channel] = np.minimum(np.maximum(np.round(values), 0), 255)
    return out


def by_the_package(batch, mean, std):
    return highlevel.undo_normalise(batch, mean, std).transpose(0, 2, 3, 1)


@pytest.mark.parametrize("answer", [by_adding_a_half, by_channel, by_the_package])
def test_other_right_ways(answer):
    assert_right("7.1", answer)


def finish(values):
    return np.rint(values).clip(0, 255).astype(np.uint8)


def wrapping(batch, mean, std):
    return (np.rint(exact(batch, mean, std)).astype(int) % 256).astype(np.uint8)


def in_place(batch, mean, std):
    batch *= np.reshape(std, (3, 1, 1)).astype(np.float32)
    return finish((batch.transpose(0, 2, 3, 1) + np.array(mean)) * 255)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda b, m, s: np.clip(exact(b, m, s), 0, 255).astype(np.uint8), "cut off instead of rounded"),
        (wrapping, "wrap around"),
        (lambda b, m, s: finish((b.transpose(0, 2, 3, 1) + np.array(m)) * s * 255), "mean is added before"),
        (lambda b, m, s: finish((b.transpose(0, 2, 3, 1) - np.array(m)) / s * 255), "normalises once more"),
        (lambda b, m, s: finish(exact(b, m, s) / 255), "factor 255 is missing"),
        (lambda b, m, s: finish(exact(b, m, s))[..., ::-1], "colours are turned round"),
        (lambda b, m, s: finish(exact(b, m[::-1], s[::-1])), "wrong channels"),
        (lambda b, m, s: finish(exact(b, (0, 0, 0), s)), "mean is missing"),
        (lambda b, m, s: finish(exact(b, m, (1, 1, 1))), "deviation is missing"),
        (lambda b, m, s: finish(exact(b, m, s)).transpose(0, 3, 1, 2), "channels are still in front"),
        (lambda b, m, s: finish(exact(b, m, s)).transpose(0, 2, 1, 3), "rows and columns are exchanged"),
        (lambda b, m, s: finish(exact(b, m, s)).astype("float32"), "dtype is wrong"),
        (lambda b, m, s: finish(exact(b, m, s)[0]), "shape is wrong"),
        (in_place, "changes its input"),
        (lambda b, m, s: np.zeros((len(b), *b.shape[2:], 3), np.uint8), "not those of the pictures"),
        (
            lambda b, m, s: finish(exact(b, (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616))),
            "not those of the pictures",
        ),
    ],
)
def test_wrong(answer, words):
    assert_wrong("7.1", answer, words)
