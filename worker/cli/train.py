"""`saek train`: train weights on a folder of color pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.context import settings_and_logs
from worker.cli.options import Json
from worker.console import jsonable, long_progress, out, table, write_json
from worker.formatting import count, duration

if TYPE_CHECKING:
    from restoration.training import SetMetrics, TrainingProgress, TrainingResult

_LINE_SECONDS = 60.0


def train(
    *,
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE", help="Name of a shipped recipe, or a TOML file.", show_default=False
        ),
    ],
    data: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder of color pictures.", exists=True, file_okay=False, show_default=False
        ),
    ],
    run: Annotated[
        Path,
        typer.Option("--out", metavar="RUN", help="Folder of the run.", file_okay=False, show_default=False),
    ],
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--fresh", help="Continue at the last checkpoint, or refuse a folder that holds a run."
        ),
    ] = True,
    json: Json = False,
) -> None:
    """Train a generator; a stopped run continues at its last checkpoint."""
    from restoration.study import train_by_recipe
    from restoration.training import shipped_recipe
    from worker.models.library import library_from

    library = library_from(settings_and_logs())
    shipped = shipped_recipe(recipe)
    own = "/" in recipe and Path(recipe).exists()
    plan = shipped if shipped.is_file() and not own else Path(recipe)
    with long_progress("reading pictures", _LINE_SECONDS, line_at_once=True) as show:

        def listen(progress: "TrainingProgress") -> None:
            stage = _stage(progress)
            left = duration(progress.seconds_left)
            line = f"{progress.phase}: step {progress.step} of {progress.steps}, {stage}, {left} left"
            show(progress.phase, stage, progress.step, progress.steps, line)

        result = train_by_recipe(plan, data, run, resume=resume, progress=listen, library=library)
    if json:
        write_json(jsonable(result, {}))
    else:
        _print(result)


def _stage(progress: "TrainingProgress") -> str:
    device = "" if progress.device_load is None else f", device busy {progress.device_load:.0%}"
    waiting = f"waiting for data {progress.waiting_share:.0%}"
    return f"loss {progress.loss:.4f}, {progress.samples_per_second:.1f} samples/s, {waiting}{device}"


def _print(result: "TrainingResult") -> None:
    console = out()
    which = "best" if result.validation else "last"
    console.print(f"{count(result.steps, 'step')}; {which} weights: step {result.best_step}, in {result.run}")
    spent = result.spent
    console.print(
        f"{spent.samples} samples in {duration(spent.seconds)}, {spent.samples_per_second:.1f} samples/s; "
        f"{duration(spent.cpu_seconds)} CPU time, {spent.waiting_share:.0%} of the time waiting for data"
    )
    numbers = ("pictures", "chroma error", "of gray", "PSNR", "PSNR of gray", "colorfulness", "of original")
    made = table("set", *numbers, right=numbers)
    for part, rows in (("validation", result.validation), ("test", result.test)):
        for row in rows:
            made.add_row(f"{part}: {row.set}", *_figures(row))
    console.print(made)


def _figures(row: "SetMetrics") -> tuple[str, ...]:
    return (
        str(row.pictures),
        f"{row.predicted.chroma_l1:.4f}",
        f"{row.gray.chroma_l1:.4f}",
        f"{row.predicted.psnr:.2f}",
        f"{row.gray.psnr:.2f}",
        f"{row.predicted.colorfulness:.1f}",
        f"{row.truth.colorfulness:.1f}",
    )
