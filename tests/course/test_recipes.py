import paddle
import pytest

from palm_course.results.recipes import Recipe


def rates(recipe, steps_per_epoch=4):
    """The learning rate of every step of a run, as train_pm takes them."""
    model = paddle.nn.Linear(1, 1)
    optimizer = recipe.make_optimizer(model, steps_per_epoch)
    seen = []
    for _ in range(recipe.epochs * steps_per_epoch):
        seen.append(optimizer.get_lr())
        if isinstance(optimizer._learning_rate, paddle.optimizer.lr.LRScheduler):
            optimizer._learning_rate.step()
    assert seen == recipe.learning_rates(steps_per_epoch)
    return seen


def test_a_constant_rate():
    assert rates(Recipe("Momentum", 0.001, epochs=2)) == [0.001] * 8


def test_a_cosine_falls_from_the_learning_rate_to_next_to_nothing():
    seen = rates(Recipe("Adam", 0.01, epochs=3, schedule="cosine"))
    assert seen[0] == 0.01 and seen == sorted(seen, reverse=True)
    assert seen[6] == pytest.approx(0.005) and 0 < seen[-1] < 0.0003


def test_a_warm_up_rises_linearly_and_hands_over_to_the_cosine():
    seen = rates(Recipe("Momentum", 0.01, epochs=3, schedule="cosine", warmup_epochs=1))
    assert seen[:4] == pytest.approx([0, 0.0025, 0.005, 0.0075])
    assert max(seen) == pytest.approx(0.01) == seen[4]
    assert seen[4:] == sorted(seen[4:], reverse=True) and 0 < seen[-1] < 0.001


def test_weight_decay_pulls_at_the_weights():
    for decay, expected in ((0.0, 1.0), (0.5, 0.95)):
        model = paddle.nn.Linear(1, 1)
        model.weight.set_value(paddle.ones([1, 1]))
        optimizer = Recipe("Momentum", 0.1, weight_decay=decay).make_optimizer(model, 1)
        (model(paddle.zeros([1, 1])) * 0).sum().backward()
        optimizer.step()
        assert model.weight.item() == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [{"optimizer": "SGDM"}, {"schedule": "linear"}, {"augment": ("flop",)}])
def test_what_a_recipe_does_not_know(wrong):
    recipe = Recipe(**{"optimizer": "Adam", "learning_rate": 0.1, **wrong})
    with pytest.raises(KeyError, match=r"SGDM|linear|flop"):
        _ = recipe.make_augment(), recipe.make_optimizer(paddle.nn.Linear(1, 1), 2)
