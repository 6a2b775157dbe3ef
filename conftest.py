"""How pytest re-executes the notebooks: settings of nbval that its options do not offer."""


def pytest_collectstart(collector):
    # Libraries written in C++ log to stderr, which Jupyter stores and nbval does not see.
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)
