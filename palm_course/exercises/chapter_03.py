"""The exercises of chapter 3, AlexNet."""

import inspect
import operator
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from palm_course.exercises.layer_check import create
from palm_course.exercises.protection import kept
from palm_course.exercises.student_values import F, as_array, as_numbers, describe, describe_shape, is_tensor, paddle
from palm_course.exercises.trial import Case, Exercise, Mistake, Trial, first_fault
from palm_course.exercises.value_check import ArrayExercise
from palm_utils.machine import seed_everything
from palm_utils.messages import mark, tr, trn

# 3.1 ------------------------------------------------------------------------------------------
MOST_PARAMETERS, _SEEN = 5_000_000, 167  # AlexNet's features see 167 x 167 pixels
_PIXELS = 224


def _judge_shrunk(trial: Trial, answer: Any) -> None:
    model = create(trial, answer)
    model.eval()
    # Averages: no unit is dead, no value overflows, and what grows at the input grows wherever it is seen.
    for parameter in model.parameters():
        fan_in = np.prod(parameter.shape[1:] if parameter.ndim == 4 else parameter.shape[:1])
        value = np.full(parameter.shape, 1 / fan_in if parameter.ndim > 1 else 0.0, np.float32)
        if parameter.ndim == 1 and "norm" in parameter.name and parameter.name.split(".")[-1].startswith("w"):
            value += 1  # a batch norm's scale
        parameter.set_value(value)
    if not callable(getattr(model, "features", None)):
        trial.fail(tr("it has no method `features`, which should return the maps before the first `Linear`."))
    with paddle.no_grad():
        given, features = [], model.features
        model.__dict__["features"] = lambda x: given.append(list(x.shape)) or features(x)
        logits = trial.call(model, paddle.zeros([2, 3, _PIXELS, _PIXELS]), name="model")
        del model.__dict__["features"]
        if list(getattr(logits, "shape", [])) != [2, 1]:
            expected = describe_shape("tensor", [2, 1], "float32")
            trial.fail(tr("it should return one logit for each image."), expected=expected, came=describe(logits))
        if given and given[0] != [2, 3, _PIXELS, _PIXELS]:
            fault = tr("`forward` should give the photographs to `features` as they come.")
            trial.fail(fault, expected=str([2, 3, _PIXELS, _PIXELS]), came=str(given[0]))
        sizes = {name: int(np.prod(p.shape)) for name, p in model.named_parameters() if not p.stop_gradient}
        total, name = sum(sizes.values()), max(sizes, key=sizes.get, default="")
        if total >= MOST_PARAMETERS:
            came = tr("{total:,}, of them {size:,} in {name}", total=total, size=sizes[name], name=name)
            expected = tr("fewer than {most:,} parameters", most=MOST_PARAMETERS)
            trial.fail(tr("it is still too large."), expected=expected, came=came)
        _check_what_is_seen(trial, model.features)
        # Where all biases are negative, a black photograph's logit is, too, unless something was done to it.
        for parameter in model.parameters():
            if parameter.name.split(".")[-1].startswith("b"):
                parameter.set_value(np.full(parameter.shape, -30.0, np.float32))
        if bool((model(paddle.zeros([2, 3, _PIXELS, _PIXELS])) > 0).all()):
            trial.fail(tr("the output went through sigmoid or softmax; a logit is the last layer's bare value."))


def _check_what_is_seen(trial: Trial, features: Any) -> None:
    """Find which rows and columns reach the middle of the last maps: what grows there must grow the middle."""
    rest = trial.call(features, paddle.zeros([1, 3, _PIXELS, _PIXELS]), name="features")
    if list(getattr(rest, "shape", []))[:1] != [1] or len(rest.shape) != 4 or 0 in rest.shape:
        trial.fail(tr("`features` should return maps, [N, channels, height, width]."), came=describe(rest))
    row, column = (side // 2 for side in rest.shape[2:])

    def reaches(lines: slice, axis: int) -> bool:
        image = np.zeros([1, 3, _PIXELS, _PIXELS], np.float32)
        image[(slice(None), slice(None), lines) if axis == 0 else (..., lines)] = 1e6
        grown = trial.call(features, paddle.to_tensor(image), name="features")
        now, before = grown[0, :, row, column], rest[0, :, row, column]
        return bool((now > before + 1e-6 * before.abs()).any())

    def count(axis: int) -> int:
        counts = range(1, _PIXELS + 1)  # of lines at the border, which are not seen up to the number looked for
        before = bisect_left(counts, True, key=lambda n: reaches(slice(n), axis))
        behind = bisect_left(counts, True, key=lambda n: reaches(slice(_PIXELS - n, None), axis))
        return max(0, _PIXELS - before - behind)

    seen = count(0), count(1)
    if seen != (_SEEN, _SEEN):
        fault = tr("its receptive field is not AlexNet's.")
        if max(seen) == 0:
            fault = tr("the middle of its maps does not depend on the photograph.")
        came, expected = (tr("{h} × {w} pixels", h=h, w=w) for h, w in (seen, (_SEEN, _SEEN)))
        trial.fail(fault, tried=tr("one place in the middle of the last maps"), expected=expected, came=came)


SHRINK = Exercise(
    number="3.1",
    name="ShrunkAlexNet",
    title=mark("a smaller AlexNet that sees as far"),
    success=mark("less than a fourteenth of the parameters, and each feature still sees 167 × 167 pixels."),
    hint=mark("look at the table of parameters: which layers hold most of them, and do these decide how far it sees?"),
    stronger_hint=mark(
        "the five convolutional layers have 3.7 million parameters together, and kernel sizes and strides alone decide "
        "what is seen. Keep AlexNetConvolutions, and give fc1 far fewer units; or make the convolutions thinner."
    ),
    seconds=60.0,
    also=_judge_shrunk,
)


# 3.2 ------------------------------------------------------------------------------------------
def _images(rng: np.random.Generator) -> Iterator[Case]:
    """Yield wide, tall and square images, with and without mirroring, darker and brighter."""
    kinds = [(4, 6, True, 1.0), (5, 3, False, 1.5), (6, 6, True, 0.8), (7, 9, False, 0.5), (9, 8, True, 1.3)]
    for height, width, flip, factor in [*kinds, (8, 8, False, 1.0)]:
        image = rng.uniform(-1, 1, (3, height, width)).astype(np.float32)
        image[:, 0, 0], image[:, -1, -1] = -1.0, 1.0  # black and white
        yield Case(image, flip, factor)


def _flipped_and_brightened(image, flip, factor, *, axes=2, flips=bool, black=-1, back=None, ends=(-1, 1)):
    """Mirror, and multiply the distance from black. back: what is added in the end, by default black."""
    mirrored = np.flip(image, axes) if flips(flip) else image
    return np.clip((mirrored - black) * factor + (black if back is None else back), *ends)


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
    Mistake("it multiplies the values themselves: 0 is a mid-grey here, so black (-1) does not stay black.", black=0),
    Mistake(
        "it multiplies the values themselves (black, -1, does not stay black), and some end beyond -1 or 1.",
        black=0,
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
# Each of the shapes below with p above 0 has at least 20,000 values, so the share of zeros is within 0.0036 of p in two
# draws of three, and hardly ever further away than this.
_SHARE_TOLERANCE = 0.025


def _judge_dropout(trial: Trial, answer: Any) -> None:
    # Drawing is no fault, but what the check seeds must not stay seeded.
    with kept():
        for p, shape in ((0.5, [50, 400]), (0.2, [25, 8, 10, 10]), (0.75, [20000]), (0.0, [20, 30])):
            created = f"MyDropout(p={p})"
            layer = create(trial, answer, p=p)
            rng = np.random.default_rng(33)
            # Clear of 0, so that every zero in the result was dropped.
            x = (rng.uniform(0.5, 2.0, shape) * rng.choice([-1, 1], shape)).astype(np.float32)
            layer.train()
            one, other = (_call(trial, created, layer, x, seed) for seed in (1, 2))
            tried = tr("{call} in training, x of shape {shape}", call=f"{created}(x)", shape=shape)
            _check_values(trial, tried, p, x, one)
            _check_places(trial, tried, p, one == 0, other == 0)
            _check_gradient(trial, created, layer, x, p)
            layer.eval()
            _check_evaluation(trial, created, p, x, _call(trial, f"{created}.eval()", layer, x, seed=3))
            layer.train()
            if p and np.array_equal(_call(trial, created, layer, x, seed=4), x):
                tried = tr("{created}: eval, train, call", created=created)
                trial.fail(tr("after .eval() and then .train() it drops nothing."), tried=tried)


def _call(trial: Trial, created: str, layer: Any, x: np.ndarray, seed: int) -> np.ndarray:
    # A trial puts the random generators back after each call, so each call gets a seed of its own.
    seed_everything(seed)
    tensor = paddle.to_tensor(x)
    value = trial.call(layer, tensor, name=created)
    array = as_array(value) if is_tensor(value) else None
    fault = first_fault(
        (not is_tensor(value), tr("it does not return a tensor.")),
        (list(getattr(value, "shape", [])) != list(x.shape), tr("the shape has changed.")),
        (array is None or array.dtype != np.float32, tr("the dtype has changed; float32 should stay float32.")),
        (array is None or not np.isfinite(array).all(), tr("some values are not finite.")),
    )
    if fault:
        expected = describe_shape("tensor", x.shape, "float32")
        trial.fail(fault, tried=f"{created}({describe(tensor)})", expected=expected, came=describe(value))
    return array


def _check_values(trial: Trial, tried: str, p: float, x: np.ndarray, result: np.ndarray) -> None:
    factors = result[result != 0] / x[result != 0]

    def are(factor: float) -> bool:
        return np.allclose(factors, factor, rtol=1e-4)

    if are(1 / (1 - p)):
        return
    fault = first_fault(
        (are(1), tr("the values that stay are as they were: divide them by 1 - p.")),
        (are(1 - p), tr("the values that stay are multiplied by 1 - p; they should be divided by it.")),
        (p and are(1 / p), tr("the values that stay are divided by p; they should be divided by 1 - p.")),
        (factors.std() > 1e-3, tr("the values that stay are not all multiplied by the same number.")),
        otherwise=tr("the values that stay are not the old ones divided by 1 - p."),
    )
    came = np.unique(np.round(factors, 3))
    shown = ", ".join(f"{f:g}" for f in came[:4]) + (", …" if len(came) > 4 else "")
    expected = tr("kept values {factor:g} times the old ones", factor=1 / (1 - p))
    trial.fail(fault, tried=tried, expected=expected, came=tr("factors {factors}", factors=shown))


def _check_places(trial: Trial, tried: str, p: float, dropped: np.ndarray, dropped_next: np.ndarray) -> None:
    """Look at where zeros are: how many, whether each by itself, whether elsewhere in the next call."""
    share, rows, images = float(dropped.mean()), dropped.reshape(len(dropped), -1), dropped.ndim > 1
    channels = dropped.ndim == 4 and (dropped == dropped[:, :, :1, :1]).all()
    places = tr("it drops the same places in all images of the batch; each value should be drawn by itself.")
    whole = tr("it drops whole images (rows of the batch); each value should be drawn by itself.")
    whole = first_fault(
        (images and (rows == rows[:, :1]).all(), whole),
        (images and (rows == rows[:1]).all(), places),
        (channels, tr("it drops whole channels; each value should be drawn by itself.")),
    )
    if abs(share - p) > _SHARE_TOLERANCE:
        swapped = abs(share - (1 - p)) < _SHARE_TOLERANCE
        fault = first_fault(
            (not dropped.any(), tr("nothing is dropped in training.")),
            (swapped, tr("p is the share that is dropped, not the share that stays.")),
            otherwise=whole or tr("the share of zeros is not p."),
        )
        trial.fail(fault, tried=tried, expected=tr("a share of zeros of about {share}", share=p), came=f"{share:.3f}")
    if p and whole:
        trial.fail(whole, tried=tried, expected=tr("zeros at places that have nothing to do with each other"))
    if p and np.array_equal(dropped, dropped_next):
        fault = tr("two calls drop the same values; each call needs a new draw.")
        trial.fail(fault, tried=tr("{tried}, twice", tried=tried))


def _check_gradient(trial: Trial, created: str, layer: Any, x: np.ndarray, p: float) -> None:
    def forward_and_back(x):
        x.stop_gradient = False
        result = layer(x)
        if not result.stop_gradient:
            result.sum().backward()
        return result, x.grad

    seed_everything(5)
    result, gradient = trial.call(forward_and_back, paddle.to_tensor(x), name=created)
    tried = tr("{call} in training, then backward()", call=f"{created}(x)")
    if gradient is None or bool(paddle.isnan(gradient).any()):
        hint = tr("values that leave PaddlePaddle (numpy, detach, no_grad) take no gradient back; only the mask may.")
        trial.fail(tr("the gradient does not find its way back to x."), tried=tried, hint=hint)
    if not np.allclose(gradient.numpy(), np.where(result.numpy() == 0, 0, 1 / (1 - p)), rtol=1e-4, atol=1e-6):
        expected = tr("{factor:g} where a value stayed, 0 where it was dropped", factor=1 / (1 - p))
        trial.fail(tr("the gradient is not that of the values that stayed."), tried=tried, expected=expected)


def _check_evaluation(trial: Trial, created: str, p: float, x: np.ndarray, result: np.ndarray) -> None:
    if np.allclose(result, x, rtol=1e-5):
        return
    scaled = np.allclose(result, x * (1 - p), rtol=1e-4)
    fault = first_fault(
        (p and (result == 0).any(), tr("it drops values in evaluation too; self.training tells the two apart.")),
        (scaled, tr("in evaluation it multiplies by 1 - p: training has already made up for that, by dividing.")),
        otherwise=tr("in evaluation the values should come back as they were."),
    )
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


# 3.4 ------------------------------------------------------------------------------------------
def _probe() -> tuple[Any, Any]:
    """Return a small network that notes at each call how many rows came, in which mode, and its optimizer."""

    class Probe(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.fc = paddle.nn.Linear(3, 1)
            self.fc.weight.set_value(np.array([[0.3], [-0.2], [0.5]], np.float32))
            self.fc.bias.set_value(np.zeros(1, np.float32))
            self.calls = []  # (training mode, with gradients)

        def forward(self, x):
            self.calls.append((self.training, paddle.is_grad_enabled()))
            return self.fc(x)

    network = Probe()
    return network, paddle.optimizer.SGD(0.5, parameters=network.parameters())


def _batches(rng: np.random.Generator, sizes: tuple) -> list:
    draw = [(rng.normal(size=(n, 3)).astype(np.float32), rng.random((n, 1)) < 0.5) for n in sizes]
    return [(images, labels.astype(np.float32)) for images, labels in draw]


def _trained(train: list, valid: list, epochs: int, *, clear=True, steps=True, by_image=(True, True)) -> tuple:
    """Return the reference's rows and weights. by_image: whether losses and accuracies are means over images."""
    (network, optimizer), rows = _probe(), []
    sizes = [[len(y) if by else 1 for _, y in part] for part, by in zip((train, valid), by_image, strict=True)]
    for _ in range(epochs):
        losses, shares = [], []
        for images, labels in train:
            loss = F.binary_cross_entropy_with_logits(network(paddle.to_tensor(images)), paddle.to_tensor(labels))
            loss.backward()
            if steps:
                optimizer.step()
            if clear:
                optimizer.clear_grad()
            losses.append(float(loss))
        for images, labels in valid:
            shares.append(np.mean((network(paddle.to_tensor(images)).numpy() > 0) == (labels == 1)))
        rows.append([np.average(losses, weights=sizes[0]), np.average(shares, weights=sizes[1])])
    return np.array(rows), network.fc.weight.numpy().ravel()


_TRIED = "my_train_pm(model, optimizer, train_loader, valid_loader, 3)"


def _judge_loop(trial: Trial, answer: Any) -> None:
    with kept():
        train, valid = _batches(trial.exercise.rng, (4, 4, 2)), _batches(trial.exercise.rng, (20, 20, 1))
        network, optimizer = _probe()

        def run(epochs):
            return answer(network, optimizer, lambda: iter(train), lambda: iter(valid), epochs)

        with suppress(ValueError):  # a function written in C does not tell its arguments
            try:
                inspect.signature(answer).bind(network, optimizer, run, run, 3)
            except TypeError as error:
                trial.fail(tr("it cannot be called this way: {error}.", error=error), tried=_TRIED)
        came = trial.call(run, name="my_train_pm", epochs=3)
        rows = as_array(came)
        if rows is None or rows.shape != (3, 2):
            expected = tr("a list of three pairs (training loss, validation accuracy)")
            trial.fail(tr("it should return one pair for each epoch."), expected=expected, came=describe(came))
        _check_modes(trial, network.calls)

        def agreeing(way):
            parts = zip((rows, network.fc.weight.numpy().ravel()), way(train, valid, 3), strict=True)
            return [np.allclose(mine, its, atol=1e-4) for mine, its in parts]

        if fault := trial.exercise.fault(_trained, lambda way: all(agreeing(way))):
            trial.fail(fault)
        right_rows, right_weights = agreeing(_trained)
        if not right_weights:
            trial.fail(tr("the weights after three epochs are not those of three epochs of gradient steps."))
        if not right_rows:
            pairs = (_trained(train, valid, 3)[0], rows)
            expected, came = ("; ".join(f"{a:.4f}, {b:.4f}" for a, b in of) for of in pairs)
            trial.fail(tr("the weights are right, the figures are not."), expected=expected, came=came)


def _check_modes(trial: Trial, calls: list) -> None:
    """Look at the modes in which the network was called: three batches of training, three of validation, per epoch."""
    if len(calls) != 18:
        fault = mark("an epoch should call the network once for each batch, {right} times in all; it did {came} times.")
        trial.fail(tr(fault, right=18, came=len(calls)))
    modes = [training for training, _ in calls]
    if sum(modes) == 9 and modes != ([True] * 3 + [False] * 3) * 3:
        trial.fail(tr("in each epoch it should go through train_loader() first and through valid_loader() then."))
    learning, scoring = ([call for i, call in enumerate(calls) if i % 6 // 3 == part] for part in (0, 1))
    if any(training for training, _ in scoring):
        trial.fail(tr("it validates in training mode: model.eval() is missing, and dropout would go on dropping."))
    if not all(training for training, _ in learning):
        trial.fail(tr("it trains in evaluation mode, at least from the second epoch on: model.train() is missing."))
    if any(with_gradients for _, with_gradients in scoring):
        trial.fail(tr("it keeps what a backward pass would need while it validates: use paddle.no_grad()."))


LOOP = Exercise(
    number="3.4",
    name="my_train_pm",
    title=mark("train_pm in 20 lines"),
    success=mark("your loop trains, validates and counts as train_pm does; the rest of train_pm is care."),
    hint=mark(
        "write down the five things that happen to each batch, and the two things that change before validation."
    ),
    stronger_hint=mark(
        "per epoch: model.train(); for each batch of train_loader() the loss, backward(), step(), clear_grad(), and "
        "float(loss) * len(labels) into a sum. Then model.eval(), with paddle.no_grad(): count (logits > 0) == labels."
    ),
    also=_judge_loop,
).with_mistakes(
    Mistake("the gradients add up from step to step: after each step they have to be cleared.", clear=False),
    Mistake("the weights never change: is optimizer.step() missing?", steps=False),
    Mistake(
        "the training loss is a mean over batches; the last, smaller batch counts too much.", by_image=(False, True)
    ),
    Mistake("the accuracy is a mean over batches; the last, smaller batch counts too much.", by_image=(True, False)),
)


# 3.5 ------------------------------------------------------------------------------------------
FAULTS = (4, 2, 5, 1, 3)  # of pieces A to E, numbered as in the exercise's text
_LOOKS = (
    mark("A: follow p.grad of one weight through two steps."),
    mark("B: which layers of AlexNet act differently in the two modes, and in which mode are they here?"),
    mark("C: write down the shape of each side before the subtraction or the loss."),
    mark("D: follow one photograph and its label from the reader to the loss."),
    mark("E: are two validations of the same network on the same photographs the same?"),
)


def _judge_bugs(trial: Trial, answer: Any) -> None:
    came = trial.call(answer)
    numbers = as_numbers(came, len(FAULTS))
    if numbers is None or not set(numbers) <= set(range(1, 8)):
        fault, expected = tr("it should return a number for each piece of code."), tr("five whole numbers from 1 to 7")
        trial.fail(fault, expected=expected, came=describe(came))
    right = int(np.sum(numbers == FAULTS))
    for number, fault, look in zip(numbers, FAULTS, _LOOKS, strict=True):
        if number != fault:
            told = trn("{count} of five is right.", "{count} of five are right.", right)
            trial.fail(told, tried="find_the_bugs()", hint=tr(look))


BUGS = Exercise(
    number="3.5",
    name="find_the_bugs",
    title=mark("find the bug: five broken pieces of code"),
    success=mark("these five are common, and none of them raises an error."),
    hint=mark("read each piece line by line beside the one in chapter 2."),
    stronger_hint=mark(
        "in A a line is missing, and in B a call that changes the mode. In C write the shapes beside each name. In D "
        "and E look at what the reader is given."
    ),
    also=_judge_bugs,
)
