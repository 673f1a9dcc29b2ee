"""How a generator learns from one batch.

Nothing here waits for the device: losses stay on it until somebody reads them.
"""

from __future__ import annotations

import contextlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from restoration.generators.networks.error_head import error_loss, within_gamut
from restoration.generators.networks.pix2pix_losses import adversarial_loss, discriminator_loss
from restoration.generators.networks.statistics import freeze_statistics, measure_each
from restoration.training.checkpoint import TrainingState, follow, learning_mode
from restoration.training.losses import chroma_loss
from restoration.training.recipe import Moment, TrainingRecipe
from restoration.training.samples import Batch

# Chroma is small: as the discriminator sees it, its usual spread fills about [-1, 1].
CRITIC_GAIN = 4.0


def train_on_batch(
    state: TrainingState, plan: TrainingRecipe, moment: Moment, batch: Batch, device: torch.device
) -> Tensor:
    """Learn from one batch; return the loss, a scalar on the device."""
    gray = _moved(batch.gray, device)
    true = _moved(batch.chroma, device)
    wholes = _moved(batch.wholes, device)
    for group in state.optimizer.param_groups:
        group["lr"] = moment.rate * group["part"]
    learning_mode(state.network)
    if moment.phase.doubt:
        loss = _doubted(state.network, gray, true, plan)
        _follow_loss(state, plan, loss)
        return loss.detach()
    with torch.set_grad_enabled(not moment.critic_alone):
        made = sample_chroma(state.network, gray, wholes, plan)
    if moment.phase.adversarial > 0:
        critic_loss = _teach_critic(state, plan, gray, true, made.detach())
        if moment.critic_alone:
            return critic_loss
    loss = chroma_loss(made, true, plan.objective)
    if moment.phase.adversarial > 0:
        state.critic.requires_grad_(requires_grad=False)
        with _arithmetic(plan, device):
            judged = state.critic(gray, CRITIC_GAIN * made)
        loss = loss + moment.phase.adversarial * adversarial_loss(judged.float(), real=True)
    _follow_loss(state, plan, loss)
    return loss.detach()


def _follow_loss(state: TrainingState, plan: TrainingRecipe, loss: Tensor) -> None:
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    # Not the network's: what an earlier phase taught last has a gradient still.
    learning = [one for group in state.optimizer.param_groups for one in group["params"]]
    nn.utils.clip_grad_norm_(learning, 1.0)
    state.optimizer.step()
    follow(state.average, state.network, plan.average, state.step)


def _doubted(network: nn.Module, gray: Tensor, true: Tensor, plan: TrainingRecipe) -> Tensor:
    """Tell how badly the error of the colors, as they will be shown, is foretold."""
    with _arithmetic(plan, gray.device):
        made, foretold = network(gray).float().split((2, 1), dim=1)
    return error_loss(foretold, (within_gamut(gray, made) - true).norm(dim=1, keepdim=True))


def sample_chroma(network: nn.Module, gray: Tensor, wholes: Tensor, plan: TrainingRecipe) -> Tensor:
    """Color samples (N, 1, S, S), the last K with the statistics of their whole pictures (K, 1, S, S).

    The others are whole pictures themselves and normalize by instance, with a gradient: without it anywhere,
    nothing would hold the scale of the weights.
    """
    crops = len(wholes)
    if not crops:
        with _arithmetic(plan, gray.device):
            return torch.as_tensor(network(gray)).float()
    # In a context of its own: autocast keeps the weights that it has cast, here those without a gradient.
    with _arithmetic(plan, gray.device):
        statistics = measure_each(network, wholes)
    with _arithmetic(plan, gray.device):
        parts = [freeze_statistics(network, statistics)(gray[-crops:])]
        if crops < len(gray):
            parts.insert(0, network(gray[:-crops]))
    return torch.cat(parts).float()


def _teach_critic(
    state: TrainingState, plan: TrainingRecipe, gray: Tensor, true: Tensor, made: Tensor
) -> Tensor:
    state.critic.requires_grad_(requires_grad=True)
    with _arithmetic(plan, gray.device):
        judged_true = state.critic(gray, CRITIC_GAIN * true)
        judged_made = state.critic(gray, CRITIC_GAIN * made)
    loss = discriminator_loss(judged_true.float(), judged_made.float())
    state.critic_optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    state.critic_optimizer.step()
    return loss.detach()


def _moved(samples: NDArray[np.float32], device: torch.device) -> Tensor:
    """Bring samples to the device; CUDA copies them from pinned memory while it computes the batch before."""
    tensor = torch.from_numpy(samples).contiguous(memory_format=torch.channels_last)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor


def _arithmetic(plan: TrainingRecipe, device: torch.device) -> contextlib.AbstractContextManager[object]:
    return torch.autocast(device.type, torch.bfloat16, enabled=plan.precision == "bf16")
