"""How the branches of a phase become one: the average of their weights.

Runs that set out from the same weights end in the same valley, and the middle between them errs less than any
(Izmailov et al. 2018; Wortsman et al. 2022, "model soups"), at no cost when colors are made.
"""

from __future__ import annotations

import torch
from torch import Tensor

from restoration.training.checkpoint import TrainingState, Weights, copied
from restoration.training.recipe import Moment


def begin_branch(state: TrainingState, moment: Moment) -> None:
    """Go back to the weights that the phase began with; the first branch only remembers them."""
    if moment.place == 0:
        state.origin, state.blend = copied(state.average), {}
    state.network.load_state_dict(state.origin)
    state.average.load_state_dict(state.origin)


def end_branch(state: TrainingState, moment: Moment) -> None:
    """Average the beginning and the branches so far; when all have arrived, the phase ends with that."""
    arrived = moment.place // moment.phase.branch_steps + 1
    state.blend = _moved(state.blend or state.origin, copied(state.average), 1.0 / (arrived + 1))
    state.average.load_state_dict(state.blend)
    if arrived == moment.phase.branches:
        state.network.load_state_dict(state.blend)
        state.origin, state.blend = {}, {}


def _moved(weights: Weights, towards: Weights, share: float) -> Weights:
    """Move weights by a share of the way; counters are taken over."""

    def moved(first: Tensor, second: Tensor) -> Tensor:
        return torch.lerp(first, second, share) if first.is_floating_point() else second

    return {name: moved(tensor, towards[name]) for name, tensor in weights.items()}
