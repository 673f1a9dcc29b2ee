"""Checks of imported weights: first the header, then one small picture."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from restoration.errors import ModelRefused
from restoration.generators.models.card import ModelCard
from restoration.generators.models.torch_weights import is_scale, unpack_weights
from restoration.generators.networks.architectures import ARCHITECTURES, Architecture

MAX_WORKING_SIDE = 4096

_LEAST_SIDE = 64
_REMEDY = "get the file again from its source, or export the model again"


def require_runnable(card: ModelCard, weights: Path) -> None:
    """Check that weights fit the architecture on the card, are finite, and predict chroma.

    Names and shapes of tensors are compared before any tensor is read into memory. Raises ModelRefused.
    """
    architecture = ARCHITECTURES.get(card.architecture)
    if architecture is None:
        known = ", ".join(ARCHITECTURES)
        raise ModelRefused(
            reason=f"it needs the unknown architecture {card.architecture!r}",
            remedy=f"install the release of Saek that it was made for; this one knows {known}",
        )
    _require_agreement(card, architecture)
    try:
        _require_tensors(architecture, weights)
        state = unpack_weights(load_file(weights))
    except (SafetensorError, ValueError) as error:
        raise ModelRefused(reason=f"its weights cannot be read: {error}", remedy=_REMEDY) from error
    if broken := [name for name, tensor in state.items() if not bool(torch.isfinite(tensor).all())]:
        raise ModelRefused(reason=f"its weights are not finite in {broken[0]}", remedy=_REMEDY)
    network = architecture.build()
    network.load_state_dict(state)
    _require_chroma(network.eval(), card.multiple, card.out_channels)


def _require_agreement(card: ModelCard, architecture: Architecture) -> None:
    said = (card.in_channels, card.out_channels, card.multiple, card.statistics)
    true = (1, architecture.channels, architecture.multiple, architecture.statistics)
    if said != true:
        raise ModelRefused(
            reason=f"its card says {said} for channels in and out, multiple and statistics; "
            f"a {card.architecture} has {true}",
            remedy=_REMEDY,
        )
    if card.working_side % card.multiple or not card.multiple <= card.working_side <= MAX_WORKING_SIDE:
        raise ModelRefused(
            reason=f"its card says a working side of {card.working_side}, "
            f"which is not a multiple of {card.multiple} up to {MAX_WORKING_SIDE}",
            remedy=_REMEDY,
        )


def _require_tensors(architecture: Architecture, weights: Path) -> None:
    with torch.device("meta"):
        wanted = {name: tuple(tensor.shape) for name, tensor in architecture.build().state_dict().items()}
    with safe_open(weights, framework="pt") as file:
        names = dict.fromkeys(file.keys())
        given = {name: tuple(file.get_slice(name).get_shape()) for name in names if not is_scale(name, names)}
    if given != wanted:
        first = min(name for name in given.keys() | wanted.keys() if given.get(name) != wanted.get(name))
        raise ModelRefused(
            reason=f"its weights are not those of the architecture on its card: {first} has the shape "
            f"{given.get(first, 'of nothing')}, not {wanted.get(first, 'any')}",
            remedy=_REMEDY,
        )


def _require_chroma(network: torch.nn.Module, multiple: int, channels: int) -> None:
    side = max(multiple, _LEAST_SIDE)
    gray = torch.linspace(0.0, 1.0, side * side).reshape(1, 1, side, side)
    with torch.inference_mode():
        planes = network(gray).float()
    if planes.shape != (1, channels, side, side) or not bool((planes[:, :2].abs() <= 0.5).all()):
        raise ModelRefused(reason="on a trial picture it gives no chroma in [-0.5, 0.5]", remedy=_REMEDY)
