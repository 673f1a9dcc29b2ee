"""Chroma loss functions."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from restoration.training.recipe import Objective


def chroma_loss(predicted: Tensor, true: Tensor, objective: Objective) -> Tensor:
    """L1 and Huber loss, the same of mean-free chroma, and the L1 of the gradients -> scalar.

    `predicted` and `true` are chroma (N, 2, H, W), float, in [-0.5, 0.5]. The mean chroma of a picture comes
    from its light, paper and dyes, which gray hardly determines; the term without it (`contrast`) rates the
    differences between colors, which can be learned.

    Colored pixels weigh more (`vividness`): the mean of all plausible colors, which minimizes the error, is
    too gray. The Huber term (Huber 1964) is divided by its delta, so that large errors count in it as in L1.
    """
    weight = 1.0 + objective.vividness * true.norm(dim=1, keepdim=True)
    weight = weight / weight.mean()
    loss = (_pixel_loss(predicted - true, objective) * weight).mean()
    if objective.contrast:
        centered = _mean_free(predicted) - _mean_free(true)
        loss = loss + objective.contrast * (_pixel_loss(centered, objective) * weight).mean()
    return cast(Tensor, loss + objective.gradient * gradient_loss(predicted, true))


def _pixel_loss(error: Tensor, objective: Objective) -> Tensor:
    huber = functional.huber_loss(
        error, torch.zeros_like(error), reduction="none", delta=objective.huber_delta
    )
    return error.abs() + objective.huber / objective.huber_delta * huber


def _mean_free(chroma: Tensor) -> Tensor:
    return chroma - chroma.mean(dim=(2, 3), keepdim=True)


def gradient_loss(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean absolute error of the differences between neighbors (N, C, H, W) -> scalar; penalizes bleeding."""
    error = predicted - true
    across = (error[..., :, 1:] - error[..., :, :-1]).abs().mean()
    down = (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    return torch.as_tensor(across + down)
