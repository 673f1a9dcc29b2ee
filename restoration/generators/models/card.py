"""Model cards: the facts about a model, and their TOML file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from restoration.errors import ModelError

SHIPPED = Path(__file__).parent
"""Folder of the models that come with Saek."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Valid names of models: they become names of files."""

REINSTALL = "install Saek again, or import the model again (`saek models import`)"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The input that a generator expects."""

    working_side: int
    """Longer side at which it sees a whole picture best, pixels."""
    multiple: int
    """Each side of an input is a multiple of this, pixels."""
    statistics: Literal["fixed", "instance"] = "fixed"
    """Source of mean and variance in normalization: the training ("fixed") or each input ("instance")."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The facts about a model, so that no caller needs to know its network."""

    name: str
    summary: str
    """One sentence for a list of models."""
    architecture: str
    """The generator's name in `restoration.generators.networks.architectures.ARCHITECTURES`."""
    in_channels: int
    out_channels: int
    multiple: int
    """Each side of an input is a multiple of this, pixels."""
    working_side: int
    """Longer side at which the model sees a whole picture best, pixels."""
    statistics: Literal["fixed", "instance"]
    """Source of mean and variance in normalization: the training ("fixed") or each input ("instance")."""
    license: str
    """SPDX identifier."""
    file: str
    """Name of the weights file, beside the card."""
    weights: str
    """sha256 of the weights file, lowercase hex."""
    bytes: int
    """Size of the weights file."""
    default: bool = False
    """True if this shipped model is used when none is named."""
    folder: Path = field(default=SHIPPED, compare=False)
    """Folder of card and weights; not an entry of the card."""

    @property
    def input_spec(self) -> InputSpec:
        """The input that the model's generator expects."""
        return InputSpec(self.working_side, self.multiple, self.statistics)

    def entries(self) -> dict[str, str | int | bool]:
        """Return the entries of the card's file."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "folder"}


# `from __future__ import annotations` leaves the types of the fields as their text.
_KINDS: Mapping[str, type] = {"int": int, "bool": bool}
_ENTRIES = {entry.name: _KINDS.get(str(entry.type), str) for entry in fields(ModelCard)}
del _ENTRIES["folder"]
_NEEDED = {entry.name for entry in fields(ModelCard) if entry.default is MISSING}


def read_card(path: Path) -> ModelCard:
    """Read a card, `NAME.toml`, from the folder that holds its weights.

    Raises ModelError if it is invalid, has another name than its file, or names weights outside its folder.
    """
    try:
        entries = tomllib.loads(path.read_text("utf-8"))
        card = card_of(entries, path.parent)
    except (OSError, ValueError) as error:
        raise ModelError(
            reason=f"the model card cannot be read: {error}", remedy=REINSTALL, path=path
        ) from error
    if Path(card.file).name != card.file:
        raise ModelError(
            reason=f"the card names weights outside its folder: {card.file!r}", remedy=REINSTALL, path=path
        )
    if card.name != path.stem:
        raise ModelError(
            reason=f"the card is that of a model named {card.name!r}",
            remedy=f"name the file {card.name}.toml, or import the model again (`saek models import`)",
            path=path,
        )
    return card


def card_of(entries: Mapping[str, Any], folder: Path) -> ModelCard:
    """Return the card with these entries.

    Raises ValueError if an entry is missing, unknown, of the wrong type or invalid.
    """
    if missing := ", ".join(sorted(_NEEDED - entries.keys())):
        raise ValueError(f"it lacks {missing}")
    if unknown := ", ".join(sorted(entries.keys() - _ENTRIES.keys())):
        raise ValueError(f"it has the unknown {unknown}")
    for name, value in entries.items():
        if type(value) is not _ENTRIES[name]:
            raise ValueError(f"{name} is not of type {_ENTRIES[name].__name__}: {value!r}")
    if not NAME.fullmatch(entries["name"]):
        raise ValueError(f"{entries['name']!r} is not a valid model name (a-z, 0-9, dot, dash, at most 64)")
    if not re.fullmatch(r"[0-9a-f]{64}", entries["weights"]):
        raise ValueError(f"weights is not a sha256 in lowercase hex: {entries['weights']!r}")
    return ModelCard(**entries, folder=folder)


def card_toml(card: ModelCard) -> str:
    """Return a card as the TOML text that `read_card` reads."""
    return toml(card.entries())


def toml(entries: Mapping[str, str | int | bool]) -> str:
    """Return flat entries as TOML text."""
    return "".join(f"{name} = {_value(value)}\n" for name, value in entries.items())


def _value(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    text = "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in value.replace("\\", "\\\\"))
    return '"' + text.replace('"', '\\"') + '"'
