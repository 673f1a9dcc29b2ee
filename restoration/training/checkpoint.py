"""What must be kept so that training goes on exactly where it stopped."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from restoration.atomic_write import draft_name, replacing
from restoration.generators.models import SHIPPED_ONLY, Library, load_weights, model_card
from restoration.generators.networks.architectures import ARCHITECTURES
from restoration.generators.networks.discriminator import PatchDiscriminator
from restoration.generators.networks.error_head import ErrorHead
from restoration.generators.networks.lite0_unet import Lite0Unet
from restoration.generators.networks.pix2pix_losses import initialize
from restoration.training.pretrained_encoder import fill_from_wheel, trainable_part
from restoration.training.recipe import ModelPlan, Phase, TrainingError, TrainingRecipe
from restoration.training.throughput import TimeSpent

Weights = dict[str, Tensor]

_APART = ("encoder.", "doubt.")
"""Parts of a generator that do not learn with the rest, at the full rate."""


@dataclass(slots=True)
class TrainingState:
    """The networks, their optimizers and how far the run has come."""

    network: nn.Module
    average: nn.Module  # exponential moving average of `network`: what is measured and exported
    critic: PatchDiscriminator
    optimizer: torch.optim.AdamW
    critic_optimizer: torch.optim.Adam
    step: int = 0
    best_score: float = float("inf")
    best_step: int = -1
    gain: float | None = None  # by how much the chroma was stretched, once it was
    best_doubt: float = -1.0  # rank correlation of the best doubt head so far
    origin: Weights = field(default_factory=dict)  # where the branches of the phase set out from
    blend: Weights = field(default_factory=dict)  # average of those that have arrived
    spent: TimeSpent = field(default_factory=TimeSpent)


def new_state(recipe: TrainingRecipe, device: torch.device, library: Library = SHIPPED_ONLY) -> TrainingState:
    """Build the networks of a new run; seeds torch's generator. `library` has the model it starts from."""
    torch.manual_seed(recipe.seed)
    try:
        network = ARCHITECTURES[recipe.subject.architecture].build()
    except KeyError:
        raise TrainingError(
            reason=f"unknown architecture {recipe.subject.architecture!r}",
            remedy=f"use one of {', '.join(ARCHITECTURES)}",
        ) from None
    multiple = ARCHITECTURES[recipe.subject.architecture].multiple
    odd = [phase.name for phase in recipe.phases if phase.size % multiple]
    if odd:
        raise TrainingError(
            reason=f"the side of the samples in {', '.join(odd)} does not fit {recipe.subject.architecture}",
            remedy=f"choose multiples of {multiple}",
        )
    _check_doubt(recipe)
    _check_statistics(recipe)
    if recipe.subject.start:
        _start_from(network, recipe.subject, library)
    elif not isinstance(network, Lite0Unet):
        initialize(network)
    elif recipe.subject.pretrained:
        fill_from_wheel(network.encoder)
    if isinstance(network, Lite0Unet):
        network.dropout = recipe.subject.dropout
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


def _start_from(network: nn.Module, subject: ModelPlan, library: Library) -> None:
    card = model_card(subject.start, library)
    own, its = ARCHITECTURES[subject.architecture], ARCHITECTURES[card.architecture]
    kin = {subject.architecture, own.grown_from}
    if card.architecture not in kin and its.grown_from != subject.architecture:
        raise TrainingError(
            reason=f"{card.name} is a {card.architecture}, not a {subject.architecture}",
            remedy="start from a model of the same architecture",
        )
    # What only one of the two has stays fresh, or is left out.
    fresh = network.state_dict()
    given = load_weights(card)
    network.load_state_dict({name: given.get(name, tensor) for name, tensor in fresh.items()})


def _check_statistics(recipe: TrainingRecipe) -> None:
    subject = recipe.subject
    if subject.statistics not in {"crop", "picture"}:
        raise TrainingError(
            reason=f"unknown statistics {subject.statistics!r}", remedy='use "crop" or "picture"'
        )
    if subject.statistics == "picture" and ARCHITECTURES[subject.architecture].statistics != "instance":
        able = [name for name, known in ARCHITECTURES.items() if known.statistics == "instance"]
        raise TrainingError(
            reason=f"{subject.architecture} takes no statistics from its input",
            remedy=f'leave out `statistics = "picture"`, or train {" or ".join(able)}',
        )


def _check_doubt(recipe: TrainingRecipe) -> None:
    able = ARCHITECTURES[recipe.subject.architecture].channels == 3
    last = [phase.doubt for phase in recipe.phases]
    if any(last) and not able:
        raise TrainingError(
            reason=f"{recipe.subject.architecture} does not foretell its error",
            remedy="leave out the phases with `doubt = true`, or train lite0-unet-doubt",
        )
    if last != sorted(last):
        raise TrainingError(
            reason="colors are learned after their error",
            remedy="put the phases with `doubt = true` last",
        )


def phase_optimizer(network: nn.Module, phase: Phase, recipe: TrainingRecipe) -> torch.optim.AdamW:
    """Freeze what the phase leaves alone and make a fresh optimizer for the rest.

    The optimizer's groups carry `part`, their learning rate in parts of the phase's.
    """
    groups: list[dict[str, Any]] = []
    network.requires_grad_(requires_grad=True)
    rest = list(network.parameters())
    if isinstance(network, Lite0Unet):
        network.predicts_error = phase.doubt
        if phase.doubt:
            rest = _doubt_alone(network)
        else:
            encoder = trainable_part(network.encoder, phase.unfreeze_from)
            if encoder:
                groups.append({"params": encoder, "part": phase.encoder_rate})
            rest = [one for name, one in network.named_parameters() if not name.startswith(_APART)]
    groups.append({"params": rest, "part": 1.0})
    on_cuda = next(network.parameters()).is_cuda
    return torch.optim.AdamW(
        groups, lr=phase.rate_first, weight_decay=recipe.weight_decay, fused=True if on_cuda else None
    )


def _doubt_alone(network: Lite0Unet) -> list[nn.Parameter]:
    network.requires_grad_(requires_grad=False)
    return list(cast(ErrorHead, network.doubt).requires_grad_(requires_grad=True).parameters())


def learning_mode(network: nn.Module) -> None:
    """Training mode, but the encoder keeps ImageNet's batch statistics, which crops would spoil.

    Where the error is what is learned, the colors are those that will be shown: without dropout.
    """
    network.train()
    if isinstance(network, Lite0Unet):
        network.encoder.eval()
        if network.doubt is not None and network.predicts_error:
            network.eval()
            network.doubt.train()


def copied(network: nn.Module) -> Weights:
    """Return the weights of a network as they are now."""
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the network; the first steps count more, so the start is forgotten."""
    share = 1.0 - min(decay, (1.0 + step) / (10.0 + step))
    theirs = network.state_dict()
    floats: list[Tensor] = []
    others: list[Tensor] = []
    for name, tensor in average.state_dict().items():
        if tensor.is_floating_point():
            floats.append(tensor)
            others.append(theirs[name])
        else:
            tensor.copy_(theirs[name])
    torch._foreach_lerp_(floats, others, share)


def save_state(state: TrainingState, recipe: TrainingRecipe, path: Path) -> None:
    """Write the state beside `path`, then put it in place: a kill leaves the old or the new one."""
    begun = recipe.at(max(state.step - 1, 0)).index + 1
    content = {
        "step": state.step,
        "best_score": state.best_score,
        "best_step": state.best_step,
        "gain": state.gain,
        "best_doubt": state.best_doubt,
        "begun": begun,
        "recipe": recipe.fingerprint(begun),
        "spent": asdict(state.spent),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all(),
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "origin": state.origin,
        "blend": state.blend,
        "critic": state.critic.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "critic_optimizer": state.critic_optimizer.state_dict(),
    }
    with replacing(path, draft_name(path)) as draft, draft.open("wb") as file:
        torch.save(content, file)


def resumed_state(
    path: Path, recipe: TrainingRecipe, device: torch.device, library: Library = SHIPPED_ONLY
) -> TrainingState:
    """Read back what `save_state` wrote; TrainingError if it belongs to another recipe."""
    content = torch.load(path, map_location=device, weights_only=True)
    if content["recipe"] != recipe.fingerprint(content["begun"]):
        raise TrainingError(
            reason="the run was begun with another recipe",
            remedy="use the recipe in its folder, change only phases not yet begun, or take a new folder",
            path=path.parent,
        )
    state = new_state(recipe, device, library)
    state.step = content["step"]
    state.best_score, state.best_step = content["best_score"], content["best_step"]
    state.gain, state.best_doubt = content["gain"], content["best_doubt"]
    state.spent = TimeSpent(**content["spent"])
    state.network.load_state_dict(content["network"])
    state.average.load_state_dict(content["average"])
    state.origin, state.blend = content["origin"], content["blend"]
    state.critic.load_state_dict(content["critic"])
    state.optimizer = phase_optimizer(state.network, recipe.phases[content["begun"] - 1], recipe)
    state.optimizer.load_state_dict(content["optimizer"])
    state.critic_optimizer.load_state_dict(content["critic_optimizer"])
    torch.set_rng_state(cast(Tensor, content["random"]).cpu())
    if device.type == "cuda" and len(content["random_cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([one.cpu() for one in content["random_cuda"]])
    return state
