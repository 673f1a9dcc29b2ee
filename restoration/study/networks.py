"""Networks and optimizers of a run of the study, and their checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from restoration.generators.networks.discriminator import PatchDiscriminator
from restoration.generators.networks.pix2pix_losses import initialize
from restoration.generators.networks.unet import UNetGenerator
from restoration.study.recipe import CRITIC_STEPS, SeedRecipe
from restoration.training.checkpoint import (
    read_checkpoint,
    require_recipe,
    restore_random_state,
    write_checkpoint,
)
from restoration.training.throughput import TimeSpent

LOSSES = 3
"""Number of reported losses: adversarial and L1 of the generator, the discriminator's."""


@dataclass(slots=True)
class SeedState:
    """The networks, their optimizers and the progress of the run."""

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
    """Build the networks of a new run and seed torch's random generator."""
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
    """Write a checkpoint that `resumed_seed_state` reads. Raises NoSpace, OutputUnavailable."""
    write_checkpoint(
        path,
        {
            "recipe": recipe.fingerprint(),
            "step": state.step,
            "losses": state.losses,
            "spent": asdict(state.spent),
            "generator": state.generator.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "critic": state.critic.state_dict() if state.critic else {},
            "critic_optimizer": state.critic_optimizer.state_dict() if state.critic_optimizer else {},
        },
    )


def resumed_seed_state(path: Path, recipe: SeedRecipe, device: torch.device) -> SeedState:
    """Read a checkpoint of `save_seed_state`; TrainingError if it belongs to another recipe."""
    # To main memory first: Adam keeps its step counters there; on the device it would wait for each.
    content = read_checkpoint(path, "cpu")
    require_recipe(
        content,
        recipe.fingerprint(),
        path,
        "use the recipe in its folder (its epochs may change), or take a new folder",
    )
    state = new_seed_state(recipe, device)
    state.step, state.spent = content["step"], TimeSpent(**content["spent"])
    state.losses = content["losses"].to(device)
    state.generator.load_state_dict(content["generator"])
    state.optimizer.load_state_dict(content["optimizer"])
    if state.critic is not None and state.critic_optimizer is not None:
        state.critic.load_state_dict(content["critic"])
        state.critic_optimizer.load_state_dict(content["critic_optimizer"])
    restore_random_state(content, device)
    return state


def _adam(network: torch.nn.Module, recipe: SeedRecipe) -> torch.optim.Adam:
    first, second = recipe.betas
    parameters = list(network.parameters())
    # Fused updates save a CPU a tenth of the step.
    fused = parameters[0].device.type == "cpu"
    return torch.optim.Adam(parameters, lr=recipe.rate, betas=(first, second), fused=fused)
