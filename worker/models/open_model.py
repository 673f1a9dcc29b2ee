"""How the settings open a model: which engine, which device, how many threads."""

from restoration import LoadedModel, load_model, model_card
from worker.models.library import library_from
from worker.settings import Settings


def open_model(settings: Settings, name: str, threads: int | None = None) -> LoadedModel:
    """Return an installed model, held open; `threads` are those of the settings if not given.

    Raises:
        restoration.UnknownModel, restoration.ModelError: it is not installed, or not whole.
        restoration.EngineUnavailable, restoration.OutOfMemory: it cannot be opened now.
        SettingsError: the file that holds the choice of the default model cannot be read.
    """
    card = model_card(name, library_from(settings))
    return load_model(card, settings.device, threads or settings.threads, settings.engine)
