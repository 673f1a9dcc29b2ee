"""One training step of the study's networks: first the generator, then the discriminator (Isola et al. 2017).

Nothing here waits for the device: losses stay on it until they are read.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from restoration.study.networks import SeedState
from restoration.study.recipe import SeedRecipe
from restoration.training.adversarial import (
    bfloat16_forward,
    generator_adversarial_loss,
    train_discriminator,
)


def train_networks_on_batch(state: SeedState, recipe: SeedRecipe, gray: Tensor, true: Tensor) -> Tensor:
    """Update the networks by a batch of normalized pictures, gray and color (N, 3, H, W) each.

    Returns losses (3,): the generator's adversarial loss, its L1 before the weight, and the discriminator's
    loss; 0 where there is no discriminator.
    """
    state.generator.train()
    seen = gray if recipe.critic == "conditional" else gray[:, :0]
    bfloat16 = recipe.precision == "bfloat16"
    with bfloat16_forward(gray.device, enabled=bfloat16):
        made = state.generator(gray).float()
    l1 = functional.l1_loss(made, true)
    adversarial = taught = torch.zeros_like(l1)
    if state.critic is not None:
        adversarial = generator_adversarial_loss(state.critic, seen, made, bfloat16=bfloat16)
    state.optimizer.zero_grad(set_to_none=True)
    (adversarial + recipe.l1_weight * l1).backward()  # type: ignore[no-untyped-call]
    state.optimizer.step()
    if state.critic is not None and state.critic_optimizer is not None:
        taught = train_discriminator(
            state.critic, state.critic_optimizer, seen, true, made.detach(), bfloat16=bfloat16
        )
    return torch.stack((adversarial.detach(), l1.detach(), taught))
