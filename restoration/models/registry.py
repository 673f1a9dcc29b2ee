"""Which models are installed, what each can do, and whether its weights are the ones on its card."""

from __future__ import annotations

import hashlib
import hmac
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from restoration.errors import ModelError, UnknownModel, WeightsMismatch

if TYPE_CHECKING:
    from torch import Tensor

SHIPPED = Path(__file__).parent
"""The folder of the models that come with Saek."""

_REINSTALL = "install Saek again, or train and export the model again"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model tells about itself, so that no caller asks which network it is."""

    name: str
    summary: str
    """One sentence for a list of models."""
    architecture: str
    """The generator's name in `restoration.pix2pix.chroma.ARCHITECTURES`."""
    in_channels: int
    out_channels: int
    multiple: int
    """Each side of an input is a multiple of this, pixels."""
    working_side: int
    """Longer side at which the model sees a whole picture best, pixels."""
    statistics: Literal["fixed", "instance"]
    """Where normalization takes mean and variance from: the training ("fixed") or each input ("instance")."""
    license: str
    """SPDX identifier."""
    file: str
    """Name of the weights file, beside the card."""
    weights: str
    """sha256 of the weights file, lowercase hex."""
    bytes: int
    """Size of the weights file."""
    default: bool = False
    """Whether this is the model that is taken when none is named."""


def models(folder: Path = SHIPPED) -> tuple[ModelCard, ...]:
    """Read the cards of all models of a folder, by name.

    Raises ModelError if a card cannot be read.
    """
    return tuple(_read_card(path) for path in sorted(folder.glob("*.toml")))


def model_card(name: str, folder: Path = SHIPPED) -> ModelCard:
    """Return the card of one model.

    Raises UnknownModel if there is none of this name.
    """
    cards = models(folder)
    for card in cards:
        if card.name == name:
            return card
    known = ", ".join(card.name for card in cards) or "none"
    raise UnknownModel(reason=f"no model is named {name!r}", remedy=f"choose one of those installed: {known}")


def default_model(folder: Path = SHIPPED) -> ModelCard:
    """Return the card of the model that is taken when none is named.

    Raises UnknownModel unless exactly one card says that it is the default.
    """
    chosen = [card for card in models(folder) if card.default]
    if len(chosen) != 1:
        names = ", ".join(card.name for card in chosen) or "none"
        raise UnknownModel(
            reason=f"one model must be the default, found: {names}", remedy="set `default = true` in one card"
        )
    return chosen[0]


def weights_path(card: ModelCard, folder: Path = SHIPPED) -> Path:
    """Tell where the weights of a model lie."""
    return folder / card.file


def verify_model(card: ModelCard, folder: Path = SHIPPED) -> None:
    """Compare the weights file with its card.

    Raises WeightsMismatch if it is missing, cannot be read or is another file.
    """
    _weights_bytes(card, folder)


def load_weights(card: ModelCard, folder: Path = SHIPPED) -> dict[str, Tensor]:
    """Read the weights, verified, as the state dict of the card's architecture; floats become float32.

    The bytes that were verified are the bytes that are loaded. Raises WeightsMismatch.
    """
    from safetensors.torch import load  # noqa: PLC0415  (torch takes seconds)

    state: dict[str, Tensor] = load(_weights_bytes(card, folder))
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}


def _weights_bytes(card: ModelCard, folder: Path) -> bytes:
    path = weights_path(card, folder)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsMismatch(
            reason=f"the weights cannot be read: {error.strerror}", remedy=_REINSTALL, path=path
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if not hmac.compare_digest(found, card.weights):
        raise WeightsMismatch(
            reason=f"the weights have sha256 {found}, but their card says {card.weights}",
            remedy=_REINSTALL,
            path=path,
        )
    return content


def _read_card(path: Path) -> ModelCard:
    try:
        entries = tomllib.loads(path.read_text("utf-8"))
        card = ModelCard(**entries)
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(
            reason=f"the model card cannot be read: {error}", remedy=_REINSTALL, path=path
        ) from error
    if Path(card.file).name != card.file:
        raise ModelError(
            reason=f"the card names weights outside its folder: {card.file!r}", remedy=_REINSTALL, path=path
        )
    return card


def card_toml(card: ModelCard) -> str:
    """Write a card as TOML text, which `models` reads back."""
    lines = []
    for entry in fields(card):
        value = getattr(card, entry.name)
        if isinstance(value, bool):
            text = str(value).lower()
        elif isinstance(value, int):
            text = str(value)
        else:
            text = '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
        lines.append(f"{entry.name} = {text}")
    return "\n".join(lines) + "\n"
