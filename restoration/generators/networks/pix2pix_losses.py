"""Losses of the seed's pix2pix: least-squares adversarial loss (Mao et al. 2017) and L1."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

L1_WEIGHT = 100.0
INITIAL_STD = 0.02


def initialize(network: nn.Module) -> None:
    """Initialize the weights of all convolutions from N(0, 0.02) and their biases with 0, in place."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, INITIAL_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def adversarial_loss(judged: Tensor, *, real: bool) -> Tensor:
    """Return the mean squared distance of a patch map from 1 (real) or 0 (generated); Mao et al. 2017."""
    return functional.mse_loss(judged, torch.full_like(judged, float(real)))


def generator_loss(judged: Tensor, made: Tensor, true: Tensor) -> Tensor:
    """Return the adversarial loss of a generated picture plus 100 times its L1 distance from the truth."""
    return adversarial_loss(judged, real=True) + L1_WEIGHT * functional.l1_loss(made, true)


def discriminator_loss(judged_true: Tensor, judged_made: Tensor) -> Tensor:
    """Return half of the adversarial loss on the true picture and on the generated one."""
    return 0.5 * (adversarial_loss(judged_true, real=True) + adversarial_loss(judged_made, real=False))
