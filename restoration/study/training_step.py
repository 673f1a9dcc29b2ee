"""How the study's networks learn from one batch: first the generator, then the discriminator.

Nothing here waits for the device: losses stay on it until somebody reads them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from restoration.generators.networks.pix2pix_losses import adversarial_loss, discriminator_loss
from restoration.study.networks import SeedState
from restoration.study.recipe import SeedRecipe


def train_networks_on_batch(state: SeedState, recipe: SeedRecipe, gray: Tensor, true: Tensor) -> Tensor:
    """Learn from normalized pictures (N, 3, H, W) of both sides.

    Returns the generator's adversarial loss, its L1 before the weight, and the discriminator's loss, (3,); 0
    for what is not there.
    """
    state.generator.train()
    seen = gray if recipe.critic == "conditional" else gray[:, :0]
    with _precision(recipe, gray.device):
        made = state.generator(gray).float()
        l1 = functional.l1_loss(made, true)
        adversarial = torch.zeros_like(l1)
        if state.critic is not None:
            state.critic.requires_grad_(requires_grad=False)
            adversarial = adversarial_loss(state.critic(seen, made).float(), real=True)
    state.optimizer.zero_grad(set_to_none=True)
    (adversarial + recipe.l1_weight * l1).backward()  # type: ignore[no-untyped-call]
    state.optimizer.step()
    taught = _teach_critic(state, recipe, seen, true, made.detach())
    return torch.stack((adversarial.detach(), l1.detach(), taught))


def _teach_critic(state: SeedState, recipe: SeedRecipe, seen: Tensor, true: Tensor, made: Tensor) -> Tensor:
    if state.critic is None or state.critic_optimizer is None:
        return torch.zeros((), device=true.device)
    state.critic.requires_grad_(requires_grad=True)
    with _precision(recipe, true.device):
        loss = discriminator_loss(state.critic(seen, true).float(), state.critic(seen, made).float())
    state.critic_optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    state.critic_optimizer.step()
    return loss.detach()


def _precision(recipe: SeedRecipe, device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=recipe.precision == "bfloat16")
