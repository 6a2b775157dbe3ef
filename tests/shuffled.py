"""A plugin for pytest that runs tests in another order: `pytest -p tests.shuffled --shuffle SEED tests`.

Modules are shuffled, and the tests within each, so that what a module makes once is still made once.
"""

import random


def pytest_addoption(parser):
    parser.addoption("--shuffle", metavar="SEED", help="run modules, and the tests in each, in the order of this seed")


def pytest_collection_modifyitems(config, items):
    seed = config.getoption("shuffle")
    if seed is None:
        return
    chance, modules = random.Random(seed), {}
    for item in items:
        modules.setdefault(item.path, []).append(item)
    order = [*modules.values()]
    chance.shuffle(order)
    for tests in order:
        chance.shuffle(tests)
    items[:] = [item for tests in order for item in tests]
