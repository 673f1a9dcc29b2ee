"""Registry of installed models, and the default one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from restoration.errors import UnknownModel
from restoration.generators.models.card import NAME, SHIPPED, ModelCard, read_card


@dataclass(frozen=True, slots=True)
class Library:
    """The folders that are searched for models, and the default model."""

    folders: tuple[Path, ...] = (SHIPPED,)
    """In search order: a model hides those of the same name in later folders."""
    default: str | None = None
    """Name of the default model; None for the one in the first folder whose card is marked as the default."""


SHIPPED_ONLY = Library()
"""The models that come with Saek."""


def installed_models(library: Library = SHIPPED_ONLY) -> tuple[ModelCard, ...]:
    """Return the cards of all models of a library, by folder and name.

    Raises ModelError if a card cannot be read.
    """
    return tuple(read_card(path) for path in card_paths(library))


def card_paths(library: Library = SHIPPED_ONLY) -> tuple[Path, ...]:
    """Return the paths of the cards of a library, without hidden ones."""
    found: dict[str, Path] = {}
    for path in _all_paths(library):
        found.setdefault(path.stem, path)
    return tuple(found.values())


def hidden_cards(library: Library) -> tuple[Path, ...]:
    """Return the paths of hidden cards: an earlier folder has a model of the same name."""
    seen = set(card_paths(library))
    return tuple(path for path in _all_paths(library) if path not in seen)


def model_card(name: str, library: Library = SHIPPED_ONLY) -> ModelCard:
    """Return the card of a model, whether or not other cards can be read.

    Raises UnknownModel if no model has this name, ModelError if its card is invalid.
    """
    if NAME.fullmatch(name):
        for folder in library.folders:
            path = folder / f"{name}.toml"
            if path.is_file():
                return read_card(path)
    known = ", ".join(path.stem for path in card_paths(library)) or "none"
    raise UnknownModel(reason=f"no model is named {name!r}", remedy=f"choose one of those installed: {known}")


def default_model(library: Library = SHIPPED_ONLY) -> ModelCard:
    """Return the card of the model that is used when none is named.

    Raises UnknownModel if the library's default is not installed or, without one, if not exactly one card of
    its first folder is marked as the default.
    """
    if library.default is not None:
        return model_card(library.default, library)
    chosen = [card for card in installed_models(Library(library.folders[:1])) if card.default]
    if len(chosen) != 1:
        names = ", ".join(card.name for card in chosen) or "none"
        raise UnknownModel(
            reason=f"one model must be the default, found: {names}", remedy="set `default = true` in one card"
        )
    return chosen[0]


def _all_paths(library: Library) -> list[Path]:
    return [path for folder in library.folders for path in sorted(folder.glob("*.toml"))]
