"""Which networks and optimizers a recipe of the study trains, and how they are kept between two processes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from restoration.atomic_write import draft_name, replacing
from restoration.generators.networks.discriminator import PatchDiscriminator
from restoration.generators.networks.pix2pix_losses import initialize
from restoration.generators.networks.unet import UNetGenerator
from restoration.study.recipe import CRITIC_STEPS, SeedRecipe
from restoration.training.recipe import TrainingError
from restoration.training.throughput import TimeSpent

LOSSES = 3
"""Losses that are told: adversarial and L1 of the generator, the discriminator's."""


@dataclass(slots=True)
class SeedState:
    """The networks, their optimizers and how far the run has come."""

    generator: UNetGenerator
    critic: PatchDiscriminator | None
    optimizer: torch.optim.Adam
    critic_optimizer: torch.optim.Adam | None
    losses: Tensor
    """Sums of the epoch's losses so far (3,), float64, on the device."""
    step: int = 0
    spent: TimeSpent = field(default_factory=TimeSpent)


def new_generator(recipe: SeedRecipe) -> UNetGenerator:
    """Build the generator of a recipe."""
    return UNetGenerator(3, 3, recipe.base, recipe.kernel)


def new_seed_state(recipe: SeedRecipe, device: torch.device) -> SeedState:
    """Build the networks of a new run; seeds torch's generator."""
    torch.manual_seed(recipe.seed)
    generator = new_generator(recipe)
    initialize(generator)
    critic = None
    if recipe.critic != "none":
        seen = 3 if recipe.critic == "conditional" else 0
        steps = CRITIC_STEPS[recipe.patch_map]
        critic = PatchDiscriminator(seen, 3, recipe.base, steps=steps, kernel=recipe.kernel)
        initialize(critic)
        critic = critic.to(device)
    generator = generator.to(device)
    return SeedState(
        generator,
        critic,
        _adam(generator, recipe),
        None if critic is None else _adam(critic, recipe),
        torch.zeros(LOSSES, dtype=torch.float64, device=device),
    )


def save_seed_state(state: SeedState, recipe: SeedRecipe, path: Path) -> None:
    """Write the state beside `path`, then put it in place: a kill leaves the old or the new one."""
    content = {
        "recipe": recipe.fingerprint(),
        "step": state.step,
        "losses": state.losses,
        "spent": asdict(state.spent),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all(),
        "generator": state.generator.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "critic": state.critic.state_dict() if state.critic else {},
        "critic_optimizer": state.critic_optimizer.state_dict() if state.critic_optimizer else {},
    }
    with replacing(path, draft_name(path)) as draft, draft.open("wb") as file:
        torch.save(content, file)


def resumed_seed_state(path: Path, recipe: SeedRecipe, device: torch.device) -> SeedState:
    """Read back what `save_seed_state` wrote; TrainingError if it belongs to another recipe."""
    # To main memory first: Adam counts its steps there, and would wait for the device at each if moved.
    content = torch.load(path, map_location="cpu", weights_only=True)
    if content["recipe"] != recipe.fingerprint():
        raise TrainingError(
            reason="the run was begun with another recipe",
            remedy="use the recipe in its folder (its epochs may change), or take a new folder",
            path=path.parent,
        )
    state = new_seed_state(recipe, device)
    state.step, state.spent = content["step"], TimeSpent(**content["spent"])
    state.losses = content["losses"].to(device)
    state.generator.load_state_dict(content["generator"])
    state.optimizer.load_state_dict(content["optimizer"])
    if state.critic is not None and state.critic_optimizer is not None:
        state.critic.load_state_dict(content["critic"])
        state.critic_optimizer.load_state_dict(content["critic_optimizer"])
    torch.set_rng_state(cast(Tensor, content["random"]))
    if device.type == "cuda" and len(content["random_cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(content["random_cuda"])
    return state


def _adam(network: torch.nn.Module, recipe: SeedRecipe) -> torch.optim.Adam:
    first, second = recipe.betas
    parameters = list(network.parameters())
    # One pass over weights and means saves a CPU a tenth of the step.
    fused = parameters[0].device.type == "cpu"
    return torch.optim.Adam(parameters, lr=recipe.rate, betas=(first, second), fused=fused)
