"""Weight averaging over the branches of a phase.

Runs from the same start end in the same loss basin, and the average of their weights errs less than each of
them, at no cost in inference (Izmailov et al. 2018; Wortsman et al. 2022, "model soups").
"""

from __future__ import annotations

import torch
from torch import Tensor

from restoration.training.recipe import Moment
from restoration.training.state import TrainingState, Weights, copied


def begin_branch(state: TrainingState, moment: Moment) -> None:
    """Restore the weights that the phase began with; the first branch stores them."""
    if moment.place == 0:
        state.origin, state.blend = copied(state.average), {}
    state.network.load_state_dict(state.origin)
    state.average.load_state_dict(state.origin)


def end_branch(state: TrainingState, moment: Moment) -> None:
    """Average the origin and the branches so far; after the last branch the network takes the average."""
    finished = moment.place // moment.phase.branch_steps + 1
    state.blend = _interpolated(state.blend or state.origin, copied(state.average), 1.0 / (finished + 1))
    state.average.load_state_dict(state.blend)
    if finished == moment.phase.branches:
        state.network.load_state_dict(state.blend)
        state.origin, state.blend = {}, {}


def _interpolated(weights: Weights, towards: Weights, share: float) -> Weights:
    """Interpolate linearly between weights; integers, such as counters, are copied from `towards`."""

    def interpolated(first: Tensor, second: Tensor) -> Tensor:
        return torch.lerp(first, second, share) if first.is_floating_point() else second

    return {name: interpolated(tensor, towards[name]) for name, tensor in weights.items()}
