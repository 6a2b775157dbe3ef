"""How fast the course is, measured side by side with other ways: `make bench`.

The modules build on one another in one direction; each imports only from those above it::

    measures        a measured figure and what it must reach; a row of the table; taking turns
    machine         what figures depend on: processor, cores, versions, what else is running
    bench           what rows share: a temporary folder, the sizes to measure at, processes of their own
    call            the other end of such a process
    photographs     photographs of the originals' size, drawn
    tutorial        the tutorial's reader and training loop
    reader          rows `reader` and `first-epoch`: what it takes to read an image
    training_sides  the two trainings that take turns
    training        row `training`: AlexNet, five epochs
    processes       row `processes`: ResNet-50 in two processes
    batches         what a training step is measured on, in both frameworks
    steps_torch     the chapters' networks and their training step in PyTorch, with torch_networks
    steps_paddle    the same training step in PaddlePaddle
    steps           row `steps`: each network beside PyTorch, and beside PaddlePaddle as it comes
    scaling_side    one reading of a folder of photographs, watched
    scaling         row `scaling`: 400, 4,000 and 40,000 photographs
    suite           row `suite`: `make test`
    report          the table, results.json, README.md
    __main__        python -m benchmarks

Networks come from the notebooks; only PyTorch's are defined here, and their parameters are counted against the
notebooks'. attic/ holds a search that is done.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
