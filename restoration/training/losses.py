"""What a wrong color costs."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from restoration.training.recipe import Objective


def chroma_loss(predicted: Tensor, true: Tensor, objective: Objective) -> Tensor:
    """L1 plus Huber plus the L1 of the gradients of chroma (N, 2, H, W) -> a scalar.

    A pixel weighs more where the truth is colored, against the pull towards gray that the average color of
    all plausible ones exerts. The Huber term is divided by its own delta, so that both terms meet large
    errors alike.
    """
    weight = 1.0 + objective.vividness * true.norm(dim=1, keepdim=True)
    weight = weight / weight.mean()
    error = (predicted - true).abs()
    huber = (
        functional.huber_loss(predicted, true, reduction="none", delta=objective.huber_delta)
        / objective.huber_delta
    )
    loss = ((error + objective.huber * huber) * weight).mean()
    return cast(Tensor, loss + objective.gradient * gradient_loss(predicted, true))


def gradient_loss(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean absolute error of the differences of neighbors: the cost of color that bleeds over edges."""
    error = predicted - true
    across = (error[..., :, 1:] - error[..., :, :-1]).abs().mean()
    down = (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    return torch.as_tensor(across + down)
