"""The model library of a station, its default model, and opened models."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from restoration import (
    SHIPPED,
    Library,
    LoadedModel,
    ModelCard,
    default_model,
    load_model,
    model_card,
    write_file,
    writing_to,
)
from worker.errors import ModelInUse, SettingsError
from worker.settings import Settings

_FILE = "default"
_MAX_BYTES = 100


class Source(StrEnum):
    """The reason why a model is the default."""

    SETTING = "setting"
    """`SAEK_MODEL`."""
    CHOSEN = "chosen"
    """`saek models default NAME`, kept in the folder of the imported models."""
    SHIPPED = "shipped"
    """The card of a shipped model."""


@dataclass(frozen=True, slots=True)
class Default:
    """The model that is used if none is named, and why."""

    card: ModelCard
    source: Source


def library_from(settings: Settings) -> Library:
    """Return the library of the settings: shipped models first, then imported ones.

    Its default is the one chosen in the folder of imported models. `SAEK_MODEL` is not part of it: a recipe
    that names its model needs no default.

    Raises:
        SettingsError: the file with the chosen default cannot be read.
    """
    return Library((SHIPPED, settings.models_path), chosen_default(settings))


def default_of(settings: Settings) -> Default:
    """Return the model for files in the inbox, and why.

    Raises:
        SettingsError: the file with the chosen default cannot be read.
        restoration.UnknownModel: the chosen model is not installed.
    """
    library = library_from(settings)
    if settings.model is not None:
        return Default(model_card(settings.model, library), Source.SETTING)
    return Default(default_model(library), Source.CHOSEN if library.default else Source.SHIPPED)


def chosen_default(settings: Settings) -> str | None:
    """Return the name stored by `choose_default`, None if there is none. Raises SettingsError."""
    path = default_file(settings)
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MAX_BYTES).strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SettingsError(
            reason=f"{path}, which names the default model, cannot be read: {error}.",
            remedy="Choose one again (`saek models default NAME`).",
        ) from error
    return text or None


def open_model(settings: Settings, name: str, threads: int | None = None) -> LoadedModel:
    """Open an installed model with the engine and device of the settings; `threads` overrides theirs.

    Raises:
        restoration.UnknownModel, restoration.ModelError: it is not installed, or damaged.
        restoration.EngineUnavailable, restoration.OutOfMemory: it cannot be opened now.
        SettingsError: the file with the chosen default cannot be read.
    """
    card = model_card(name, library_from(settings))
    return load_model(card, settings.device, threads or settings.threads, settings.engine)


def choose_default(settings: Settings, name: str | None) -> None:
    """Set the model that is used if none is named; None restores the shipped default.

    Raises:
        restoration.UnknownModel: it is not installed.
        restoration.NoSpace, restoration.OutputUnavailable: the file cannot be written.
    """
    path = default_file(settings)
    with writing_to(path.parent):
        if name is None:
            path.unlink(missing_ok=True)
            return
        model_card(name, Library((SHIPPED, settings.models_path)))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, f"{name}\n".encode(), f".{_FILE}.draft")


def require_unused(settings: Settings, name: str) -> None:
    """Check that a model may be removed.

    Raises:
        ModelInUse: it ships with Saek or is the default.
        SettingsError: the file with the chosen default cannot be read.
    """
    if (SHIPPED / f"{name}.toml").is_file() and not (settings.models_path / f"{name}.toml").is_file():
        raise ModelInUse(
            reason=f"The model {name} comes with Saek.", remedy="Choose another default instead."
        )
    if name == settings.model:
        raise ModelInUse(
            reason=f"The setting SAEK_MODEL names {name}.", remedy="Set it to another model first."
        )
    if name == chosen_default(settings):
        raise ModelInUse(
            reason=f"The model {name} is the default.",
            remedy="Choose another first (`saek models default NAME`).",
        )


def default_file(settings: Settings) -> Path:
    """Return the path of the file with the chosen default."""
    return settings.models_path / _FILE
