"""Options that choose a recipe, shared by `saek restore` and `saek reprocess`."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from worker.settings import Settings

if TYPE_CHECKING:
    from restoration import Recipe

PresetName = Literal["fast", "balanced", "fine", "native"]
"""The values of `restoration.Preset`, so that help and completion need not load `restoration`."""

FormatName = Literal["tiff", "png", "jpeg"]
"""The values of `restoration.OutputFormat`, for the same reason."""

Model = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Model to use; `saek models` lists them.",
        show_default="the setting `model`",
    ),
]
PresetOption = Annotated[
    PresetName | None,
    typer.Option(
        "--preset", help="Resolution at which color is inferred.", show_default="the setting `preset`"
    ),
]
Strength = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=2.0,
        help="Chroma gain: 0 is gray, 1 is as predicted.",
        show_default="the setting `strength`",
    ),
]
Warmth = Annotated[
    float | None,
    typer.Option(
        min=-1.0,
        max=1.0,
        help="Color shift: -1 is toward blue, 0 as predicted, 1 toward amber. Gray stays gray.",
        show_default="the setting `warmth`",
    ),
]
FormatOption = Annotated[
    FormatName | None,
    typer.Option("--format", help="File format of the derivative.", show_default="the setting `format`"),
]
Pyramid = Annotated[
    bool | None,
    typer.Option(
        "--pyramid/--no-pyramid",
        help="Write a tiled TIFF with reduced copies, for viewers that zoom.",
        show_default="the setting `pyramid`",
    ),
]


def recipe_from_options(
    settings: Settings,
    *,
    model: str | None,
    preset: str | None,
    strength: float | None,
    warmth: float | None,
    format: str | None,  # noqa: A002  (the name of the option)
    pyramid: bool | None,
) -> "Recipe":
    """Return the recipe of the settings, overridden by the options of the command line.

    Raises:
        SettingsError, restoration.UnknownModel, restoration.WeightsMismatch
    """
    from worker.recipes import recipe_from

    options = {
        "model": model,
        "preset": preset,
        "strength": strength,
        "warmth": warmth,
        "format": format,
        "pyramid": pyramid,
    }
    return recipe_from(
        settings.model_copy(update={name: value for name, value in options.items() if value is not None})
    )


def recipe_facts(recipe: "Recipe") -> dict[str, Any]:
    """Return the recipe and its fingerprint for `--json`."""
    import json

    return {**json.loads(recipe.to_json()), "fingerprint": recipe.fingerprint()}
