"""Networks, optimizers and counters of a chroma training run, and their checkpoint."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from restoration.generators.models import SHIPPED_ONLY, Library, load_weights, model_card
from restoration.generators.networks.architectures import ARCHITECTURES
from restoration.generators.networks.discriminator import PatchDiscriminator
from restoration.generators.networks.error_head import ErrorHead
from restoration.generators.networks.lite0_unet import Lite0Unet
from restoration.generators.networks.pix2pix_losses import initialize
from restoration.training.checkpoint import (
    read_checkpoint,
    require_recipe,
    restore_random_state,
    write_checkpoint,
)
from restoration.training.pretrained_encoder import fill_from_wheel, trainable_part
from restoration.training.recipe import ModelPlan, Phase, TrainingError, TrainingRecipe
from restoration.training.throughput import TimeSpent

Weights = dict[str, Tensor]

_OTHER_RATES = ("encoder.", "doubt.")
"""Prefixes of the parameters that are not trained at the phase's full learning rate."""


@dataclass(slots=True)
class TrainingState:
    """The networks, their optimizers and the progress of the run."""

    network: nn.Module
    average: nn.Module  # exponential moving average of `network`: what is measured and exported
    critic: PatchDiscriminator
    optimizer: torch.optim.AdamW
    critic_optimizer: torch.optim.Adam
    step: int = 0
    best_score: float = float("inf")
    best_step: int = -1
    gain: float | None = None  # factor by which the chroma was stretched; None before that
    best_error_correlation: float = -1.0  # rank correlation of predicted and true error, best so far
    origin: Weights = field(default_factory=dict)  # weights that all branches of the phase start from
    blend: Weights = field(default_factory=dict)  # average of the origin and the finished branches
    spent: TimeSpent = field(default_factory=TimeSpent)


def new_state(recipe: TrainingRecipe, device: torch.device, library: Library = SHIPPED_ONLY) -> TrainingState:
    """Build the networks of a new run and seed torch's random generator.

    `library` has the model that the recipe starts from. Raises TrainingError, UnknownModel.
    """
    torch.manual_seed(recipe.seed)
    try:
        network = ARCHITECTURES[recipe.model.architecture].build()
    except KeyError:
        raise TrainingError(
            reason=f"unknown architecture {recipe.model.architecture!r}",
            remedy=f"use one of {', '.join(ARCHITECTURES)}",
        ) from None
    multiple = ARCHITECTURES[recipe.model.architecture].multiple
    odd = [phase.name for phase in recipe.phases if phase.size % multiple]
    if odd:
        raise TrainingError(
            reason=f"the side of the samples in {', '.join(odd)} does not fit {recipe.model.architecture}",
            remedy=f"choose multiples of {multiple}",
        )
    _require_error_head(recipe)
    _require_statistics(recipe)
    if recipe.model.start:
        _start_from(network, recipe.model, library)
    elif not isinstance(network, Lite0Unet):
        initialize(network)
    elif recipe.model.pretrained:
        fill_from_wheel(network.encoder)
    if isinstance(network, Lite0Unet):
        network.dropout = recipe.model.dropout
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    critic = PatchDiscriminator(condition_channels=1, picture_channels=2)
    initialize(critic)
    critic = critic.to(device)
    average = copy.deepcopy(network).requires_grad_(requires_grad=False).eval()
    return TrainingState(
        network,
        average,
        critic,
        phase_optimizer(network, recipe.phases[0], recipe),
        torch.optim.Adam(
            critic.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True if device.type == "cuda" else None
        ),
    )


def _start_from(network: nn.Module, plan: ModelPlan, library: Library) -> None:
    card = model_card(plan.start, library)
    own, its = ARCHITECTURES[plan.architecture], ARCHITECTURES[card.architecture]
    related = {plan.architecture, own.starts_from}
    if card.architecture not in related and its.starts_from != plan.architecture:
        raise TrainingError(
            reason=f"{card.name} is a {card.architecture}, not a {plan.architecture}",
            remedy="start from a model of the same architecture",
        )
    # Tensors that only the new network has keep their initial values; those of the model alone are skipped.
    initial = network.state_dict()
    given = load_weights(card)
    network.load_state_dict({name: given.get(name, tensor) for name, tensor in initial.items()})


def _require_statistics(recipe: TrainingRecipe) -> None:
    plan = recipe.model
    if plan.statistics not in {"crop", "picture"}:
        raise TrainingError(
            reason=f"unknown statistics {plan.statistics!r}", remedy='use "crop" or "picture"'
        )
    if plan.statistics == "picture" and ARCHITECTURES[plan.architecture].statistics != "instance":
        able = [name for name, known in ARCHITECTURES.items() if known.statistics == "instance"]
        raise TrainingError(
            reason=f"{plan.architecture} takes no statistics from its input",
            remedy=f'leave out `statistics = "picture"`, or train {" or ".join(able)}',
        )


def _require_error_head(recipe: TrainingRecipe) -> None:
    able = ARCHITECTURES[recipe.model.architecture].channels == 3
    last = [phase.doubt for phase in recipe.phases]
    if any(last) and not able:
        raise TrainingError(
            reason=f"{recipe.model.architecture} does not predict its error",
            remedy="leave out the phases with `doubt = true`, or train lite0-unet-doubt",
        )
    if last != sorted(last):
        raise TrainingError(
            reason="colors are learned after their error",
            remedy="put the phases with `doubt = true` last",
        )


def phase_optimizer(network: nn.Module, phase: Phase, recipe: TrainingRecipe) -> torch.optim.AdamW:
    """Freeze the parameters that the phase does not train; return a new optimizer for the others.

    Each parameter group has the key `part`: its learning rate as a fraction of the phase's.
    """
    groups: list[dict[str, Any]] = []
    network.requires_grad_(requires_grad=True)
    rest = list(network.parameters())
    if isinstance(network, Lite0Unet):
        network.predicts_error = phase.doubt
        if phase.doubt:
            rest = _error_head_alone(network)
        else:
            encoder = trainable_part(network.encoder, phase.unfreeze_from)
            if encoder:
                groups.append({"params": encoder, "part": phase.encoder_rate})
            rest = [one for name, one in network.named_parameters() if not name.startswith(_OTHER_RATES)]
    groups.append({"params": rest, "part": 1.0})
    on_cuda = next(network.parameters()).is_cuda
    return torch.optim.AdamW(
        groups, lr=phase.rate_first, weight_decay=recipe.weight_decay, fused=True if on_cuda else None
    )


def _error_head_alone(network: Lite0Unet) -> list[nn.Parameter]:
    network.requires_grad_(requires_grad=False)
    return list(cast(ErrorHead, network.doubt).requires_grad_(requires_grad=True).parameters())


def set_training_mode(network: nn.Module) -> None:
    """Set training mode; the encoder keeps ImageNet's batch statistics, which crops would spoil.

    While the error head is trained, the rest stays in evaluation mode, without dropout, as in use.
    """
    network.train()
    if isinstance(network, Lite0Unet):
        network.encoder.eval()
        if network.doubt is not None and network.predicts_error:
            network.eval()
            network.doubt.train()


def copied(network: nn.Module) -> Weights:
    """Return a copy of the weights of a network."""
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Update the exponential moving average of the weights after a step, in place.

    The first steps count more (decay at most (1 + step) / (10 + step)), so that the initial weights vanish.
    """
    share = 1.0 - min(decay, (1.0 + step) / (10.0 + step))
    newest = network.state_dict()
    floats: list[Tensor] = []
    others: list[Tensor] = []
    for name, tensor in average.state_dict().items():
        if tensor.is_floating_point():
            floats.append(tensor)
            others.append(newest[name])
        else:
            tensor.copy_(newest[name])
    torch._foreach_lerp_(floats, others, share)


def save_state(state: TrainingState, recipe: TrainingRecipe, path: Path) -> None:
    """Write a checkpoint that `resumed_state` reads. Raises NoSpace, OutputUnavailable."""
    begun = recipe.at(max(state.step - 1, 0)).index + 1
    write_checkpoint(
        path,
        {
            "step": state.step,
            "best_score": state.best_score,
            "best_step": state.best_step,
            "gain": state.gain,
            "best_doubt": state.best_error_correlation,
            "begun": begun,
            "recipe": recipe.fingerprint(begun),
            "spent": asdict(state.spent),
            "network": state.network.state_dict(),
            "average": state.average.state_dict(),
            "origin": state.origin,
            "blend": state.blend,
            "critic": state.critic.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "critic_optimizer": state.critic_optimizer.state_dict(),
        },
    )


def resumed_state(
    path: Path, recipe: TrainingRecipe, device: torch.device, library: Library = SHIPPED_ONLY
) -> TrainingState:
    """Read a checkpoint of `save_state`; TrainingError if it belongs to another recipe."""
    content = read_checkpoint(path, device)
    require_recipe(
        content,
        recipe.fingerprint(content["begun"]),
        path,
        "use the recipe in its folder, change only phases not yet begun, or take a new folder",
    )
    state = new_state(recipe, device, library)
    state.step = content["step"]
    state.best_score, state.best_step = content["best_score"], content["best_step"]
    state.gain, state.best_error_correlation = content["gain"], content["best_doubt"]
    state.spent = TimeSpent(**content["spent"])
    state.network.load_state_dict(content["network"])
    state.average.load_state_dict(content["average"])
    state.origin, state.blend = content["origin"], content["blend"]
    state.critic.load_state_dict(content["critic"])
    state.optimizer = phase_optimizer(state.network, recipe.phases[content["begun"] - 1], recipe)
    state.optimizer.load_state_dict(content["optimizer"])
    state.critic_optimizer.load_state_dict(content["critic_optimizer"])
    restore_random_state(content, device)
    return state
