"""The state of an optimizer, its momentum and learning rate, put back into one that was made anew."""

import warnings


def put_back(optimizer, state: dict, old_names: list[str], new_names: list[str]) -> None:
    """Load a saved state into an optimizer whose parameters now have other names.

    state: as optimizer.state_dict() returned it. old_names, new_names: of the same parameters, in the same order,
    then and now.
    """
    with warnings.catch_warnings():
        # PaddlePaddle's LinearWarmup takes the state of the schedule inside it for one too many, then uses it.
        warnings.filterwarnings("ignore", "There are some unused values in state_dict")
        optimizer.set_state_dict(_renamed(state, old_names, new_names, optimizer))


def _renamed(state: dict, old_names: list[str], new_names: list[str], optimizer) -> dict:
    """Key a saved optimizer state by the names that `optimizer` uses, or will use, for the same tensors.

    PaddlePaddle keys momentum and the like by generated names, linear_0.w_0_velocity_0: both numbers
    count what was made before in the process. The second model of a notebook has other ones, and
    a second optimizer of the same model too.
    """
    from paddle.utils import unique_name

    names = dict(zip(old_names, new_names, strict=True))
    in_use = {key.rpartition("_")[0]: key for key in optimizer.state_dict()}
    renamed = {}
    for key, value in state.items():
        owner = next((old for old in names if key.startswith(f"{old}_")), None)
        if key == "master_weights":
            renamed[key] = {names.get(old, old): weight for old, weight in value.items()}
        elif owner is None:  # LR_Scheduler
            renamed[key] = value
        else:
            prefix = (names[owner] + key[len(owner) :]).rpartition("_")[0]
            if prefix not in in_use:
                # Not made yet: the optimizer will take the number after the one that is handed out here.
                in_use[prefix] = f"{prefix}_{int(unique_name.generate(prefix).rpartition('_')[2]) + 1}"
            renamed[in_use[prefix]] = value
    return renamed
