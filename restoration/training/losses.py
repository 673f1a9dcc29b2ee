"""What a wrong color costs."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from restoration.training.recipe import Objective


def chroma_loss(predicted: Tensor, true: Tensor, objective: Objective) -> Tensor:
    """L1 plus Huber, once more without each picture's mean, plus the L1 of the gradients -> a scalar.

    All of chroma (N, 2, H, W). A picture's mean is its light, its paper and the state of its dyes, which gray
    tells little about and which differs at random between pictures; without it what remains is how the colors
    of things differ, which can be learned.

    A pixel weighs more where the truth is colored, against the pull towards gray that the average color of
    all plausible ones exerts. The Huber term is divided by its own delta, so that both terms meet large
    errors alike.
    """
    weight = 1.0 + objective.vividness * true.norm(dim=1, keepdim=True)
    weight = weight / weight.mean()
    loss = (_cost(predicted - true, objective) * weight).mean()
    if objective.contrast:
        centered = _centered(predicted) - _centered(true)
        loss = loss + objective.contrast * (_cost(centered, objective) * weight).mean()
    return cast(Tensor, loss + objective.gradient * gradient_loss(predicted, true))


def _cost(error: Tensor, objective: Objective) -> Tensor:
    huber = functional.huber_loss(
        error, torch.zeros_like(error), reduction="none", delta=objective.huber_delta
    )
    return error.abs() + objective.huber / objective.huber_delta * huber


def _centered(chroma: Tensor) -> Tensor:
    return chroma - chroma.mean(dim=(2, 3), keepdim=True)


def gradient_loss(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean absolute error of the differences of neighbors: the cost of color that bleeds over edges."""
    error = predicted - true
    across = (error[..., :, 1:] - error[..., :, :-1]).abs().mean()
    down = (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    return torch.as_tensor(across + down)
