"""What generator and discriminator strive for: the seed's least-squares adversarial loss and L1."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

L1_WEIGHT = 100.0
INITIAL_STD = 0.02


def initialize(network: nn.Module) -> None:
    """Fill the weights of all convolutions from N(0, 0.02) and their biases with 0, in place."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, INITIAL_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def adversarial_loss(judged: Tensor, *, real: bool) -> Tensor:
    """Mean squared distance of a patch map from "all real" (1) or "all made" (0); Mao et al. 2017."""
    return functional.mse_loss(judged, torch.full_like(judged, float(real)))


def generator_loss(judged: Tensor, made: Tensor, true: Tensor) -> Tensor:
    """Adversarial loss of the made picture's patch map, plus 100 times its L1 distance from the truth."""
    return adversarial_loss(judged, real=True) + L1_WEIGHT * functional.l1_loss(made, true)


def discriminator_loss(judged_true: Tensor, judged_made: Tensor) -> Tensor:
    """Half of the adversarial loss on the true picture and on the made one."""
    return 0.5 * (adversarial_loss(judged_true, real=True) + adversarial_loss(judged_made, real=False))
