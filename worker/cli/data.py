"""`saek data`: statistics of folders of color pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.context import settings_and_logs
from worker.cli.options import Json
from worker.console import jsonable, out, table, write_json
from worker.formatting import count

if TYPE_CHECKING:
    from restoration.study import ChannelStatistics

app = typer.Typer(no_args_is_help=True, help="Show statistics of folders of color pictures.")


@app.callback()
def data() -> None:
    """Show statistics of folders of color pictures."""


@app.command("stats")
def stats(
    *,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Folder of color pictures.", exists=True, file_okay=False, show_default=False
        ),
    ],
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Part of the manifest (train, eval, validation, test) or, without one, a sub-folder.",
            show_default="all pictures",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show mean and standard deviation of red, green, blue and gray, for normalizing network inputs."""
    from restoration.study import channel_statistics

    settings_and_logs()
    found = channel_statistics(folder, split)
    if json:
        write_json(jsonable(found, {}))
    else:
        _print(found)


def _print(found: "ChannelStatistics") -> None:
    console = out()
    console.print(f"{count(found.pictures, 'picture')}, {count(found.pixels, 'pixel')}; values from 0 to 1.")
    numbers = ("mean", "std", "mean of picture means", "mean of picture stds")
    made = table("channel", *numbers, right=numbers)
    for one in found.channels:
        figures = (one.mean, one.std, one.picture_mean, one.picture_std)
        made.add_row(one.name, *(f"{figure:.8f}" for figure in figures))
    console.print(made)
