"""Checks of the installation: models, libraries, engine and locale."""

import locale
import sys

from worker.doctor.findings import Check, State
from worker.doctor.storage import folder_check
from worker.settings import Settings

_MIN_PILLOW = 13
"""Older versions have a heap overflow in their JPEG reader."""

_MIN_LIBVIPS = (8, 15)
"""The first version with `fail_on="warning"` in every loader that is used."""


def model(settings: Settings) -> Check:
    """Check the model for dropped files and its weights."""
    from restoration import ModelError, verify_model
    from worker.models.library import default_of
    from worker.recipes import recipe_from

    try:
        recipe = recipe_from(settings)
        verify_model(default_of(settings).card)
    except ModelError as error:
        return Check("model", State.FAILED, error.reason, error.remedy)
    return Check("model", State.OK, f"{recipe.model}, weights {recipe.weights[:12]} as on the card")


def models(settings: Settings) -> Check:
    """Check all models, and that only the owner can write to their folder."""
    from restoration import ModelError, card_paths, hidden_cards, read_card, verify_model
    from worker.models.library import library_from

    if settings.models_path.exists():
        folder = folder_check("models", settings.models_path, "SAEK_MODELS", writes=False)
        if folder.state is not State.OK:
            return folder
    library = library_from(settings)
    cards = card_paths(library)
    for path in cards:
        try:
            verify_model(read_card(path))
        except ModelError as error:
            return Check("models", State.WARNING, f"{path.stem}: {error.reason}", error.remedy)
    for path in hidden_cards(library):
        return Check(
            "models",
            State.WARNING,
            f"{path} is never used: a model of that name comes with Saek",
            "Import it under another name, then remove the file.",
        )
    return Check("models", State.OK, f"{len(cards)} installed, all with the weights of their cards")


def libvips(settings: Settings) -> Check:  # noqa: ARG001  (all checks have one signature)
    """Check that libvips loads and is new enough."""
    import pyvips

    version = tuple(pyvips.version(part) for part in range(3))
    found = ".".join(map(str, version))
    if version < _MIN_LIBVIPS:
        return Check("libvips", State.FAILED, found, "Reinstall: pip install --upgrade 'pyvips[binary]'")
    return Check("libvips", State.OK, found)


def pillow(settings: Settings) -> Check:  # noqa: ARG001
    """Check that Pillow is new enough for untrusted files."""
    import PIL

    found = PIL.__version__
    if int(found.split(".", 1)[0]) < _MIN_PILLOW:
        return Check("pillow", State.FAILED, found, f"Run: pip install --upgrade 'pillow>={_MIN_PILLOW}'")
    return Check("pillow", State.OK, found)


def engine(settings: Settings) -> Check:
    """Check that the engine and the device of the settings are available."""
    from restoration import Transient, describe_engine

    try:
        return Check("engine", State.OK, describe_engine(settings.engine, settings.device))
    except Transient as error:
        return Check("engine", State.FAILED, error.reason, error.remedy)


def text(settings: Settings) -> Check:  # noqa: ARG001
    """Check that file names are UTF-8 in this process."""
    names, text = sys.getfilesystemencoding(), locale.getencoding()
    found = f"file names {names}, text {text}"
    if names.lower() != "utf-8" or text.lower() not in {"utf-8", "utf8"}:
        return Check("text", State.WARNING, found, "Set LANG or LC_ALL to a UTF-8 locale, such as C.UTF-8.")
    return Check("text", State.OK, found)
