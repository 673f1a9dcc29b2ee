"""The card of a model file that is to be imported.

A card travels inside the safetensors file, as the TOML entry `saek.card` of the header's metadata, or beside
it as `NAME.toml`. The one inside lacks the checksum, size and name of the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from restoration.errors import ModelRefused, WeightsMismatch
from restoration.generators.models.card import ModelCard, card_of, toml

ENTRY = "saek.card"
"""Key of the card in the metadata of a safetensors file; the only key, since their order is not kept."""

MAX_CARD_BYTES = 1 << 16

_OF_THE_FILE = {"file", "weights", "bytes", "default"}
"""Entries that follow from the file and from its installation."""

_REMEDY = "get the file again from its source, or export the model again"


def card_metadata(facts: Mapping[str, str | int | bool]) -> dict[str, str]:
    """Return the safetensors metadata that hold a card; `facts` lack the entries of the file."""
    return {ENTRY: toml(facts)}


def read_offered_card(weights: Path, sha256: str, beside: bytes | None, name: str | None) -> ModelCard:
    """Return the card of a file as it will be installed, under `name` if given.

    `sha256` is that of the file at `weights`, `beside` the content of the card beside it. Raises ModelRefused
    if the file is not safetensors, there is no card, or the two cards differ; WeightsMismatch if the card
    beside belongs to other weights.
    """
    inside = _card_inside(weights)
    outside = None if beside is None else _parsed(beside, "the card beside the weights")
    entries = inside if inside is not None else outside
    if entries is None:
        raise ModelRefused(
            reason="no card came with the weights, neither inside the file nor as .toml beside it",
            remedy="put its card beside it under the same name, ending in .toml",
        )
    if outside is not None and outside.get("weights", sha256) != sha256:
        raise WeightsMismatch(
            reason=f"the weights have sha256 {sha256}, but their card says {outside['weights']}",
            remedy=_REMEDY,
        )
    if inside is not None and outside is not None:
        _require_agreement(inside, outside)
    called = entries.get("name") if name is None else name
    made = {
        **entries,
        "name": called,
        "file": f"{called}.safetensors",
        "weights": sha256,
        "bytes": weights.stat().st_size,
        "default": False,
    }
    try:
        return card_of(made, weights.parent)
    except ValueError as error:
        raise ModelRefused(reason=f"its card is not one of a model: {error}", remedy=_REMEDY) from error


def _card_inside(weights: Path) -> dict[str, Any] | None:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415  (with torch, which takes seconds)

    try:
        with safe_open(weights, framework="pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ModelRefused(
            reason=f"it is not a complete safetensors file: {error}", remedy=_REMEDY
        ) from error
    return _parsed(metadata[ENTRY].encode(), "the card inside the file") if ENTRY in metadata else None


def _parsed(text: bytes, what: str) -> dict[str, Any]:
    if len(text) > MAX_CARD_BYTES:
        raise ModelRefused(reason=f"{what} is longer than {MAX_CARD_BYTES:,} bytes", remedy=_REMEDY)
    try:
        return tomllib.loads(text.decode("utf-8"))
    except ValueError as error:
        raise ModelRefused(reason=f"{what} cannot be read: {error}", remedy=_REMEDY) from error


def _require_agreement(inside: Mapping[str, Any], outside: Mapping[str, Any]) -> None:
    names = (inside.keys() | outside.keys()) - _OF_THE_FILE - {"name"}
    differing = sorted(name for name in names if inside.get(name) != outside.get(name))
    if differing:
        raise ModelRefused(
            reason=f"the card beside the weights differs from the one inside: {', '.join(differing)}",
            remedy="remove the .toml beside it, or fix it",
        )
