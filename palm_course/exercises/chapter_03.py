"""The exercises of chapter 3, AlexNet."""

import operator
from typing import Any

import numpy as np

from palm_course.exercises.layer_check import create
from palm_course.exercises.protection import kept
from palm_course.exercises.student_values import as_array, describe, describe_shape, is_tensor
from palm_course.exercises.trial import Case, Exercise, Mistake, Trial
from palm_course.exercises.value_check import ArrayExercise, NumberExercise
from palm_utils.machine import seed_everything
from palm_utils.messages import mark, tr


# 3.1 ------------------------------------------------------------------------------------------
def _side(pixels, *, padding=10, poolings=3, pool=lambda n: n // 2):
    """Return the side of conv5's maps after pooling."""
    pixels = (pixels + padding - 11) // 4 + 1
    for _ in range(poolings):
        pixels = pool(pixels)
    return pixels


def _features(height, width, *, channels=256, side=_side, **options):
    return channels * side(height, **options) * side(width, **options)


def _sizes(rng: np.random.Generator) -> list[Case]:
    sizes = [(224, 224), (112, 112), (224, 448), (221, 225), (512, 384), (96, 61), (29, 300), (189, 190)]
    sizes += [tuple(int(side) for side in rng.integers(64, 600, 2)) for _ in range(8)]
    return [Case(size) for size in sizes]


FC1_INPUTS = NumberExercise(
    number="3.1",
    name="fc1_inputs",
    title=mark("fc1 for photographs of another size"),
    success=mark("you can fit AlexNet's first fully connected layer to photographs of any size."),
    hint=mark("follow one side step by step on paper, for 224 and then for 221; rounding happens at every step."),
    stronger_hint=mark(
        "a convolution turns n pixels into (n + 2 · padding - kernel) // stride + 1, a pooling of 2 × 2 into n // 2. "
        "Write a small function for one side, call it for both, and do not forget that conv5 has 256 channels. Where "
        "either side has become 0, raise the error."
    ),
    cases=_sizes,
    reference=_features,
    refused=[(28, 224), (224, 20), (7, 7)],
).with_mistakes(
    Mistake("it counts the pixels of one map; conv5 has 256 channels, each with a map of its own.", channels=1),
    Mistake("one pooling is missing: there is one after conv1, after conv2 and after conv5.", poolings=2),
    Mistake("conv1's padding is missing.", padding=0),
    Mistake("conv1's padding is counted once; there are 5 pixels on *each* side.", padding=5),
    Mistake(
        "a convolution has one position more than it takes steps: the + 1 is missing.", side=lambda n: (n - 1) // 4 // 8
    ),
    Mistake(
        "it divides by 32 and rounds down at the end; conv1 rounds up, thanks to its padding.", side=lambda n: n // 32
    ),
    Mistake("it divides by 32 and rounds at the end; every layer rounds for itself.", side=lambda n: round(n / 32)),
    Mistake("the poolings round up; what does not fill a whole 2 × 2 field is left out.", pool=lambda n: -(-n // 2)),
    Mistake("it takes the photograph for a square of `height` pixels.", lambda height, _: _features(height, height)),
    Mistake("it takes the photograph for a square of `width` pixels.", lambda _, width: _features(width, width)),
    Mistake("conv1's stride of 4 is missing.", side=lambda n: n // 8),
    Mistake("the 256 channels are those of conv5, not 384.", channels=384),
)


# 3.2 ------------------------------------------------------------------------------------------
def _images(rng: np.random.Generator) -> list[Case]:
    """Return wide, tall and square images, with and without mirroring, darker and brighter."""
    kinds = [(4, 6, True, 1.0), (5, 3, False, 1.5), (6, 6, True, 0.8), (7, 9, False, 0.5), (9, 8, True, 1.3)]
    cases = []
    for height, width, flip, factor in [*kinds, (8, 8, False, 1.0)]:
        image = rng.uniform(-1, 1, (3, height, width)).astype(np.float32)
        image[:, 0, 0], image[:, -1, -1] = -1.0, 1.0  # black and white
        cases.append(Case((image, flip, factor)))
    return cases


def _flipped_and_brightened(image, flip, factor, *, axes=2, flips=bool, black=-1, back=-1, ends=(-1, 1)):
    """Mirror, and multiply the distance from black. back: what black becomes again."""
    mirrored = np.flip(image, axes) if flips(flip) else image
    return np.clip((mirrored - black) * factor + back, *ends)


def _wrong_image(shape: tuple, right: tuple, *args: Any) -> str:
    if shape == (*right[1:], 3):
        return tr("the colour channel has become the last axis; it should stay the first (CHW).")
    return tr("the shape has changed.")


def _first_row(image: np.ndarray) -> str:
    row = ", ".join(f"{value:.2f}" for value in image[0, 0, :6]) + (", …" if image.shape[2] > 6 else "")
    least, largest = image.min(), image.max()
    return tr("first row of blue [{row}], values {least:.2f} to {largest:.2f}", row=row, least=least, largest=largest)


FLIP_AND_BRIGHTEN = ArrayExercise(
    number="3.2",
    name="flip_and_brighten",
    title=mark("mirror and brighten"),
    success=mark("each epoch can now see a slightly different photograph of the same eye."),
    hint=mark("which axis of [3, H, W] runs from left to right? And where on the scale from -1 to 1 does black lie?"),
    stronger_hint=mark(
        "image[:, :, ::-1] reads the last axis backwards. Move black to 0 by adding 1, multiply, move it back, and "
        "cut with np.clip(..., -1, 1). Write `image = image[...]` or `result = ...`, not `image *= ...`."
    ),
    cases=_images,
    reference=_flipped_and_brightened,
    # Half a grey level of 256 on the scale from -1 to 1 is 0.004: a way through uint8 passes.
    close=lambda right, came: np.allclose(right, came, atol=0.01),
    wrong_shape=_wrong_image,
    wrong_dtype=mark("the dtype is wrong: networks are fed float32."),
    unknown=mark("right for {right} of the {count} images tried."),
    show=_first_row,
).with_mistakes(
    Mistake("it leaves the image as it is.", lambda image, flip, factor: image),
    Mistake("top and bottom are exchanged; mirror left and right.", axes=1),
    Mistake("the colours are exchanged: the first axis holds blue, green and red.", axes=0),
    Mistake("rows and columns are both reversed: that turns the eye upside down.", axes=(1, 2)),
    Mistake("everything is reversed, colours too; only left and right should be.", axes=(0, 1, 2)),
    Mistake("it mirrors whether `flip` is true or not.", flips=lambda flip: True),
    Mistake("it never mirrors.", flips=lambda flip: False),
    Mistake("it mirrors where `flip` is false.", flips=operator.not_),
    Mistake("the brightness stays as it is.", lambda image, flip, _: _flipped_and_brightened(image, flip, 1.0)),
    Mistake(
        "it multiplies the values themselves: 0 is a mid-grey here, so black (-1) does not stay black.", black=0, back=0
    ),
    Mistake(
        "it multiplies the values themselves (black, -1, does not stay black), and some end beyond -1 or 1.",
        black=0,
        back=0,
        ends=(-np.inf, np.inf),
    ),
    Mistake(
        "it adds `factor` - 1 to every pixel, black ones too; brightness is a factor.",
        lambda image, flip, factor: _flipped_and_brightened(image, flip, 1.0, back=factor - 2),
    ),
    Mistake("some values are above 1; what would be brighter than 1 becomes 1.", ends=(-np.inf, np.inf)),
    Mistake("black has become 0: after multiplying, the scale must go back to where black is -1.", back=0, ends=(0, 2)),
    Mistake("black has become 0: after multiplying, the scale must go back to where black is -1.", back=0, ends=(0, 1)),
    Mistake("the dark half is lost: values are cut at 0 instead of -1.", ends=(0, 1)),
)


# 3.3 ------------------------------------------------------------------------------------------
# Each of the shapes below has at least 20,000 values, so the share of zeros is within 0.0036 of p in two
# draws of three, and hardly ever further away than this.
_SHARE_TOLERANCE = 0.025


def _judge_dropout(trial: Trial, answer: Any) -> None:
    # Drawing is no fault, but what the check seeds must not stay seeded.
    with kept():
        for p, shape in ((0.5, [50, 400]), (0.2, [25, 8, 10, 10]), (0.75, [20000]), (0.0, [20, 30])):
            created = f"MyDropout(p={p})"
            layer = create(trial, answer, kwargs={"p": p})
            rng = np.random.default_rng(33)
            # Clear of 0, so that every zero in the result was dropped.
            x = (rng.uniform(0.5, 2.0, shape) * rng.choice([-1, 1], shape)).astype(np.float32)
            layer.train()
            first, second = (_call(trial, created, layer, x, seed) for seed in (1, 2))
            tried = tr("{call} in training, x of shape {shape}", call=f"{created}(x)", shape=shape)
            _check_values(trial, tried, p, x, first)
            _check_places(trial, tried, p, first == 0, second == 0)
            _check_gradient(trial, created, layer, x, p)
            layer.eval()
            _check_evaluation(trial, created, p, x, _call(trial, f"{created}.eval()", layer, x, seed=3))
            layer.train()
            if p and np.array_equal(_call(trial, created, layer, x, seed=4), x):
                tried = tr("{created}: eval, train, call", created=created)
                trial.fail(tr("after .eval() and then .train() it drops nothing."), tried=tried)


def _call(trial: Trial, created: str, layer: Any, x: np.ndarray, seed: int) -> np.ndarray:
    import paddle

    # A trial puts the random generators back after each call, so each call gets a seed of its own.
    seed_everything(seed)
    tensor, fault = paddle.to_tensor(x), ""
    value = trial.call(layer, (tensor,), name=created)
    if not is_tensor(value):
        fault = tr("it does not return a tensor.")
    elif list(value.shape) != list(x.shape):
        fault = tr("the shape has changed.")
    elif as_array(value) is None or as_array(value).dtype != np.float32:
        fault = tr("the dtype has changed; float32 should stay float32.")
    elif not np.isfinite(value.numpy()).all():
        fault = tr("some values are not finite.")
    if fault:
        expected = describe_shape("tensor", x.shape, "float32")
        trial.fail(fault, tried=f"{created}({describe(tensor)})", expected=expected, came=describe(value))
    return value.numpy()


def _check_values(trial: Trial, tried: str, p: float, x: np.ndarray, result: np.ndarray) -> None:
    factors = result[result != 0] / x[result != 0]

    def are(factor: float) -> bool:
        return np.allclose(factors, factor, rtol=1e-4)

    if are(1 / (1 - p)):
        return
    came = np.unique(np.round(factors, 3))
    fault = tr("the values that stay are not the old ones divided by 1 - p.")
    if are(1):
        fault = tr("the values that stay are as they were: divide them by 1 - p.")
    elif are(1 - p):
        fault = tr("the values that stay are multiplied by 1 - p; they should be divided by it.")
    elif p and are(1 / p):
        fault = tr("the values that stay are divided by p; they should be divided by 1 - p.")
    elif factors.std() > 1e-3:
        fault = tr("the values that stay are not all multiplied by the same number.")
    shown = ", ".join(f"{f:g}" for f in came[:4]) + (", …" if len(came) > 4 else "")
    expected = tr("kept values {factor:g} times the old ones", factor=1 / (1 - p))
    trial.fail(fault, tried=tried, expected=expected, came=tr("factors {factors}", factors=shown))


def _check_places(trial: Trial, tried: str, p: float, dropped: np.ndarray, dropped_next: np.ndarray) -> None:
    """Look at where zeros are: how many, whether each by itself, whether elsewhere in the next call."""
    share, whole = float(dropped.mean()), _whole_parts(dropped)
    if abs(share - p) > _SHARE_TOLERANCE:
        fault = whole or tr("the share of zeros is not p.")
        if not dropped.any():
            fault = tr("nothing is dropped in training.")
        elif abs(share - (1 - p)) < _SHARE_TOLERANCE:
            fault = tr("p is the share that is dropped, not the share that stays.")
        trial.fail(fault, tried=tried, expected=tr("a share of zeros of about {share}", share=p), came=f"{share:.3f}")
    if p and whole:
        trial.fail(whole, tried=tried, expected=tr("zeros at places that have nothing to do with each other"))
    if p and np.array_equal(dropped, dropped_next):
        fault = tr("two calls drop the same values; each call needs a new draw.")
        trial.fail(fault, tried=tr("{tried}, twice", tried=tried))


def _whole_parts(dropped: np.ndarray) -> str:
    """Say which parts of the tensor are dropped or kept as a whole; empty where none are."""
    rows = dropped.reshape(len(dropped), -1)
    if dropped.ndim > 1 and (rows == rows[:, :1]).all():
        return tr("it drops whole images (rows of the batch); each value should be drawn by itself.")
    if dropped.ndim > 1 and (rows == rows[:1]).all():
        return tr("it drops the same places in all images of the batch; each value should be drawn by itself.")
    if dropped.ndim == 4 and (dropped == dropped[:, :, :1, :1]).all():
        return tr("it drops whole channels; each value should be drawn by itself.")
    return ""


def _check_gradient(trial: Trial, created: str, layer: Any, x: np.ndarray, p: float) -> None:
    import paddle

    def forward_and_back(tensor):
        tensor.stop_gradient = False
        result = layer(tensor)
        if not result.stop_gradient:
            result.sum().backward()
        return result, paddle.full(result.shape, float("nan")) if tensor.grad is None else tensor.grad

    seed_everything(5)
    result, gradient = (part.numpy() for part in trial.call(forward_and_back, (paddle.to_tensor(x),), name=created))
    tried = tr("{call} in training, then backward()", call=f"{created}(x)")
    if np.isnan(gradient).any():
        hint = tr("values that leave PaddlePaddle (numpy, detach, no_grad) take no gradient back; only the mask may.")
        trial.fail(tr("the gradient does not find its way back to x."), tried=tried, hint=hint)
    if not np.allclose(gradient, np.where(result == 0, 0, 1 / (1 - p)), rtol=1e-4, atol=1e-6):
        expected = tr("{factor:g} where a value stayed, 0 where it was dropped", factor=1 / (1 - p))
        trial.fail(tr("the gradient is not that of the values that stayed."), tried=tried, expected=expected)


def _check_evaluation(trial: Trial, created: str, p: float, x: np.ndarray, result: np.ndarray) -> None:
    if np.allclose(result, x, rtol=1e-5):
        return
    fault = tr("in evaluation the values should come back as they were.")
    if p and (result == 0).any():
        fault = tr("it drops values in evaluation too; self.training tells the two apart.")
    elif np.allclose(result, x * (1 - p), rtol=1e-4):
        fault = tr("in evaluation it multiplies by 1 - p: training has already made up for that, by dividing.")
    begin, came = (describe(values.ravel()[:3]) for values in (x, result))
    expected, came = tr("x itself, beginning {values}", values=begin), tr("beginning {values}", values=came)
    trial.fail(fault, tried=f"{created}.eval()(x)", expected=expected, came=came)


DROPOUT = Exercise(
    number="3.3",
    name="MyDropout",
    title=mark("dropout by hand"),
    success=mark("your layer could take the place of drop1 and drop2, and evaluation needs no correction."),
    hint=mark("try it on paddle.ones([1000]): how many zeros come, what are the others, and what is their mean?"),
    stronger_hint=mark(
        "paddle.rand(x.shape) draws one number between 0 and 1 for each value. Those that are at least p belong to "
        "the values that stay: turn the comparison into float32 and multiply x by it, then divide. Before all that, "
        "`if not self.training: return x`."
    ),
    also=_judge_dropout,
)
