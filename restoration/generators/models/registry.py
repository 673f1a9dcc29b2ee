"""Which models are installed, and which is taken when none is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from restoration.errors import UnknownModel
from restoration.generators.models.card import NAME, SHIPPED, ModelCard, read_card


@dataclass(frozen=True, slots=True)
class Library:
    """Where models are looked for, and which of them is taken when none is named."""

    folders: tuple[Path, ...] = (SHIPPED,)
    """In the order of the search: a model hides one of the same name in a later folder."""
    default: str | None = None
    """Name of the model that is taken when none is named; None is the one whose card, in the first folder,
    says that it is the default."""


SHIPPED_ONLY = Library()
"""The models that come with Saek."""


def models(library: Library = SHIPPED_ONLY) -> tuple[ModelCard, ...]:
    """Read the cards of all models of a library, folder by folder and by name.

    Raises ModelError if a card cannot be read.
    """
    return tuple(read_card(path) for path in card_paths(library))


def card_paths(library: Library = SHIPPED_ONLY) -> tuple[Path, ...]:
    """Tell where the cards of a library lie, without those that a model of the same name hides."""
    found: dict[str, Path] = {}
    for path in _all_paths(library):
        found.setdefault(path.stem, path)
    return tuple(found.values())


def hidden_cards(library: Library) -> tuple[Path, ...]:
    """Tell which cards are never found, because an earlier folder has a model of the same name."""
    seen = set(card_paths(library))
    return tuple(path for path in _all_paths(library) if path not in seen)


def model_card(name: str, library: Library = SHIPPED_ONLY) -> ModelCard:
    """Return the card of one model; others that cannot be read do not matter.

    Raises UnknownModel if there is none of this name, ModelError if its card cannot be read.
    """
    if NAME.fullmatch(name):
        for folder in library.folders:
            path = folder / f"{name}.toml"
            if path.is_file():
                return read_card(path)
    known = ", ".join(path.stem for path in card_paths(library)) or "none"
    raise UnknownModel(reason=f"no model is named {name!r}", remedy=f"choose one of those installed: {known}")


def default_model(library: Library = SHIPPED_ONLY) -> ModelCard:
    """Return the card of the model that is taken when none is named.

    Raises UnknownModel if the library's default is not installed, or if it names none and not exactly one
    card of its first folder says that it is the default.
    """
    if library.default is not None:
        return model_card(library.default, library)
    chosen = [card for card in models(Library(library.folders[:1])) if card.default]
    if len(chosen) != 1:
        names = ", ".join(card.name for card in chosen) or "none"
        raise UnknownModel(
            reason=f"one model must be the default, found: {names}", remedy="set `default = true` in one card"
        )
    return chosen[0]


def _all_paths(library: Library) -> list[Path]:
    return [path for folder in library.folders for path in sorted(folder.glob("*.toml"))]
