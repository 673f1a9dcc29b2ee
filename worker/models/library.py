"""Which models this station has, and which it takes when none is named."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from restoration import SHIPPED, Library, ModelCard, default_model, model_card, write_file, writing_to
from worker.errors import ModelInUse, SettingsError
from worker.settings import Settings

_FILE = "default"
_MAX_BYTES = 100


class Source(StrEnum):
    """What made a model the default."""

    SETTING = "setting"
    """`SAEK_MODEL`."""
    CHOSEN = "chosen"
    """`saek models default NAME`, kept in the folder of the imported models."""
    SHIPPED = "shipped"
    """The card of a shipped model."""


@dataclass(frozen=True, slots=True)
class Default:
    """The model that is taken when none is named, and why."""

    card: ModelCard
    source: Source


def library_from(settings: Settings) -> Library:
    """Return the library that the settings name: shipped models first, then imported ones.

    Its default is the one that was chosen for the folder of the imported models; `SAEK_MODEL` is no part of
    it, since a recipe that names its model has no use for a default.

    Raises:
        SettingsError: the file that holds the choice cannot be read.
    """
    return Library((SHIPPED, settings.models_path), chosen_default(settings))


def default_of(settings: Settings) -> Default:
    """Return the model that dropped files get, and why.

    Raises:
        SettingsError: the file that holds the choice cannot be read.
        restoration.UnknownModel: the model that was chosen is not installed.
    """
    library = library_from(settings)
    if settings.model is not None:
        return Default(model_card(settings.model, library), Source.SETTING)
    return Default(default_model(library), Source.CHOSEN if library.default else Source.SHIPPED)


def chosen_default(settings: Settings) -> str | None:
    """Return the name that `choose_default` wrote, None if there is no choice. Raises SettingsError."""
    path = default_file(settings)
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MAX_BYTES).strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SettingsError(
            reason=f"{path}, which names the default model, cannot be read: {error}.",
            remedy="Choose one anew: saek models default NAME.",
        ) from error
    return text or None


def choose_default(settings: Settings, name: str | None) -> None:
    """Have a model taken when none is named; None goes back to the shipped default.

    Raises:
        restoration.UnknownModel: it is not installed.
        restoration.NoSpace, restoration.OutputUnavailable: the choice cannot be written.
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
    """Refuse to part with a model that comes with Saek or is taken when none is named.

    Raises:
        ModelInUse: it is one of those.
        SettingsError: the file that holds the choice cannot be read.
    """
    if (SHIPPED / f"{name}.toml").is_file() and not (settings.models_path / f"{name}.toml").is_file():
        raise ModelInUse(
            reason=f"The model {name} comes with Saek.", remedy="Choose another default instead."
        )
    if name == settings.model:
        raise ModelInUse(
            reason=f"The setting SAEK_MODEL names {name}.", remedy="Let it name another model first."
        )
    if name == chosen_default(settings):
        raise ModelInUse(
            reason=f"The model {name} is the default.",
            remedy="Choose another first: saek models default NAME.",
        )


def default_file(settings: Settings) -> Path:
    """The file that names the chosen default."""
    return settings.models_path / _FILE
