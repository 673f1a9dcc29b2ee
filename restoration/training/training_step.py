"""One training step of a chroma generator on a batch.

Nothing here waits for the device: losses stay on it until they are read.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from restoration.generators.networks.error_head import error_loss, within_gamut
from restoration.generators.networks.statistics import freeze_statistics, measure_each
from restoration.training.adversarial import (
    bfloat16_forward,
    generator_adversarial_loss,
    train_discriminator,
)
from restoration.training.losses import chroma_loss
from restoration.training.recipe import Moment, TrainingRecipe
from restoration.training.samples import Batch
from restoration.training.state import TrainingState, set_training_mode, update_average

# Chroma is small: multiplied by this, its usual spread fills about [-1, 1], the discriminator's input range.
CRITIC_GAIN = 4.0


def train_on_batch(
    state: TrainingState, plan: TrainingRecipe, moment: Moment, batch: Batch, device: torch.device
) -> Tensor:
    """Update the networks by one batch; return the loss, a scalar on the device."""
    gray = _moved(batch.gray, device)
    true = _moved(batch.chroma, device)
    wholes = _moved(batch.wholes, device)
    for group in state.optimizer.param_groups:
        group["lr"] = moment.rate * group["part"]
    set_training_mode(state.network)
    if moment.phase.doubt:
        loss = _predicted_error_loss(state.network, gray, true, plan)
        _update_generator(state, plan, loss)
        return loss.detach()
    with torch.set_grad_enabled(not moment.critic_alone):
        made = sample_chroma(state.network, gray, wholes, plan)
    adversarial, bfloat16 = moment.phase.adversarial, plan.precision == "bf16"
    if adversarial > 0:
        critic_loss = train_discriminator(
            state.critic,
            state.critic_optimizer,
            gray,
            CRITIC_GAIN * true,
            CRITIC_GAIN * made.detach(),
            bfloat16=bfloat16,
        )
        if moment.critic_alone:
            return critic_loss
    loss = chroma_loss(made, true, plan.objective)
    if adversarial > 0:
        loss = loss + adversarial * generator_adversarial_loss(
            state.critic, gray, CRITIC_GAIN * made, bfloat16=bfloat16
        )
    _update_generator(state, plan, loss)
    return loss.detach()


def _update_generator(state: TrainingState, plan: TrainingRecipe, loss: Tensor) -> None:
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    # Not all parameters of the network: those that only an earlier phase trained still have a gradient.
    trained = [one for group in state.optimizer.param_groups for one in group["params"]]
    nn.utils.clip_grad_norm_(trained, 1.0)
    state.optimizer.step()
    update_average(state.average, state.network, plan.average, state.step)


def _predicted_error_loss(network: nn.Module, gray: Tensor, true: Tensor, plan: TrainingRecipe) -> Tensor:
    """Loss of the predicted error against the true error of the colors within the gamut -> scalar."""
    with bfloat16_forward(gray.device, enabled=plan.precision == "bf16"):
        made, predicted = network(gray).float().split((2, 1), dim=1)
    return error_loss(predicted, (within_gamut(gray, made) - true).norm(dim=1, keepdim=True))


def sample_chroma(network: nn.Module, gray: Tensor, wholes: Tensor, plan: TrainingRecipe) -> Tensor:
    """Chroma (N, 2, S, S) of samples (N, 1, S, S); the last K use the statistics of `wholes` (K, 1, S, S).

    The others are whole pictures and normalize by instance, with a gradient: without it anywhere, nothing
    would limit the scale of the weights.
    """
    crops, bfloat16 = len(wholes), plan.precision == "bf16"
    if not crops:
        with bfloat16_forward(gray.device, enabled=bfloat16):
            return torch.as_tensor(network(gray)).float()
    # In a context of its own: autocast caches the weights that it has cast, here those without a gradient.
    with bfloat16_forward(gray.device, enabled=bfloat16):
        statistics = measure_each(network, wholes)
    with bfloat16_forward(gray.device, enabled=bfloat16):
        parts = [freeze_statistics(network, statistics)(gray[-crops:])]
        if crops < len(gray):
            parts.insert(0, network(gray[:-crops]))
    return torch.cat(parts).float()


def _moved(samples: NDArray[np.float32], device: torch.device) -> Tensor:
    """Move samples to the device; CUDA copies from pinned memory while it computes the previous batch."""
    tensor = torch.from_numpy(samples).contiguous(memory_format=torch.channels_last)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor
