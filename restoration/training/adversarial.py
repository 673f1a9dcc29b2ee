"""Adversarial terms of a training step: the generator's least-squares loss and the discriminator's update.

Least-squares GAN, Mao et al. 2017; the discriminator rates patches, Isola et al. 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor

from restoration.generators.networks.discriminator import PatchDiscriminator
from restoration.generators.networks.pix2pix_losses import adversarial_loss, discriminator_loss


def bfloat16_forward(device: torch.device, *, enabled: bool) -> torch.autocast:
    """Return a context in which convolutions compute in bfloat16, if enabled; weights stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def generator_adversarial_loss(
    critic: PatchDiscriminator, condition: Tensor, made: Tensor, *, bfloat16: bool
) -> Tensor:
    """Loss of generated pictures (N, C, H, W) that the discriminator does not take for real -> scalar.

    The discriminator's weights are frozen; `condition` (N, K, H, W) is its other input.
    """
    critic.requires_grad_(requires_grad=False)
    with bfloat16_forward(made.device, enabled=bfloat16):
        judged = critic(condition, made)
    return adversarial_loss(judged.float(), real=True)


def train_discriminator(
    critic: PatchDiscriminator,
    optimizer: torch.optim.Optimizer,
    condition: Tensor,
    true: Tensor,
    made: Tensor,
    *,
    bfloat16: bool,
) -> Tensor:
    """Do one optimizer step on true and generated pictures (N, C, H, W) -> the loss, a detached scalar."""
    critic.requires_grad_(requires_grad=True)
    with bfloat16_forward(true.device, enabled=bfloat16):
        judged_true = critic(condition, true)
        judged_made = critic(condition, made)
    loss = discriminator_loss(judged_true.float(), judged_made.float())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.detach()
