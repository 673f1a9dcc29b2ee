"""`saek study`: train a folder of recipes and compare the results on a page."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.context import settings_and_logs
from worker.cli.options import Json
from worker.console import jsonable, long_progress, out, table, write_json
from worker.formatting import count, duration, size
from worker.printable import printable

if TYPE_CHECKING:
    from restoration.study import Findings, PlannedRun
    from restoration.training import TrainingProgress

_LINE_SECONDS = 60.0


class _Precision(StrEnum):
    """Precisions that a recipe may have."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


def study(
    *,
    recipes: Annotated[
        str,
        typer.Argument(
            metavar="RECIPES",
            help="Folder of recipes, or the name of a shipped one: seed.",
            show_default=False,
        ),
    ],
    data: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Folder of color pictures, with the subfolders train and test.",
            exists=True,
            file_okay=False,
            show_default=False,
        ),
    ],
    where: Annotated[
        Path,
        typer.Option("--out", metavar="OUT", help="Folder of the runs.", file_okay=False, show_default=False),
    ],
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Page to write (.md); its figures go into a folder of the same name beside it.",
            dir_okay=False,
            show_default="OUT/study.md",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Run only this recipe. May be repeated.", show_default="all recipes"
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Maximum number of epochs.", show_default="those of the recipes"),
    ] = None,
    base: Annotated[
        int | None,
        typer.Option(min=1, help="Width of the networks.", show_default="that of the recipes"),
    ] = None,
    precision: Annotated[
        _Precision | None,
        typer.Option(help="Precision of convolutions during training.", show_default="that of the recipes"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Run nothing; show the runs and how long they take.")
    ] = False,
    json: Json = False,
) -> None:
    """Train a folder of recipes, resuming stopped runs, evaluate all, and write a page with figures."""
    from restoration.study import RunSelection, run_study
    from worker.models.library import library_from

    library = library_from(settings_and_logs())
    folder = _folder(recipes)
    limits = RunSelection(tuple(only or ()), epochs, base, precision)
    page = report or where / "study.md"
    if page.suffix != ".md":
        raise typer.BadParameter(f"{page.name} does not end in .md", param_hint="--report")
    if dry_run:
        _print_plan(_estimates(folder, data, where, limits), as_json=json)
        return
    with long_progress("reading pictures", _LINE_SECONDS) as show:

        def trained(plan: "PlannedRun", now: "TrainingProgress") -> None:
            name = f"{plan.recipe.name} base {plan.recipe.base}"
            left = duration(now.seconds_left)
            stage = f"{now.phase}, loss {now.loss:.3f}, {now.samples_per_second:.1f} pictures/s, {left} left"
            show(name, stage, now.step, now.steps, f"{name}: {now.step:,} of {now.steps:,}, {stage}")

        def progress(what: str, done: int, total: int) -> None:
            show(what, "", done, total, f"{what}: {done:,} of {total:,}")

        findings = run_study(
            folder, data, where, page, limits, library=library, trained=trained, progress=progress
        )
    if json:
        from restoration.study import study_document

        write_json({"report": str(page), **study_document(findings)})
    else:
        _print(findings, page)


def _folder(recipes: str) -> Path:
    from restoration.training import shipped_recipe

    shipped = shipped_recipe(recipes).with_suffix("")
    return Path(recipes) if Path(recipes).is_dir() or not shipped.is_dir() else shipped


def _estimates(folder: Path, data: Path, where: Path, limits: Any) -> "list[tuple[PlannedRun, int, float]]":
    """Return each run with its pictures per epoch and the remaining seconds."""
    import torch

    from restoration.study import Estimator, load_dataset, plan_runs, read_matrix

    plans = plan_runs(read_matrix(folder), where, limits)
    pictures = len(load_dataset(data).train)
    estimator = Estimator(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    return [
        (plan, pictures, plan.left * pictures * estimator.seconds_per_picture(plan) if plan.left else 0.0)
        for plan in plans
    ]


def _print_plan(estimates: "Sequence[tuple[PlannedRun, int, float]]", *, as_json: bool) -> None:
    from restoration.study import bytes_kept

    total = sum(seconds for _, _, seconds in estimates)
    space = sum(bytes_kept(plan.recipe) for plan, _, _ in estimates)
    if as_json:
        runs = [
            {
                "name": plan.recipe.name,
                "base": plan.recipe.base,
                "precision": plan.recipe.precision,
                "batch": plan.recipe.batch,
                "epochs": plan.recipe.epochs,
                "done": plan.done,
                "pictures": pictures,
                "seconds": seconds,
            }
            for plan, pictures, seconds in estimates
        ]
        write_json(jsonable({"dry_run": True, "runs": runs, "seconds": total, "bytes": space}, {}))
        return
    numbers = ("base", "batch", "epochs", "done", "time left")
    made = table("run", *numbers, "description", right=numbers)
    for plan, _, seconds in estimates:
        one = plan.recipe
        cells = (str(one.base), str(one.batch), str(one.epochs), str(plan.done), duration(seconds))
        made.add_row(one.name, *cells, one.about)
    console = out()
    console.print(made)
    console.print(f"{count(len(estimates), 'run')}, {size(space)} when finished.")
    console.print(f"About {duration(total)} on this machine at its present load.")


def _print(findings: "Findings", page: Path) -> None:
    numbers = ("PSNR", "luminance kept", "chroma error / gray", "CIEDE2000", "color / original")
    made = table("", *numbers, right=numbers)
    for one in findings.candidates:
        painted, kept = one.generated.rendering, one.luminance_kept.rendering
        made.add_row(
            one.candidate.name,
            f"{painted.figures.psnr:.2f}",
            f"{kept.figures.psnr:.2f}",
            f"{painted.chroma_ratio:.3f}",
            f"{painted.figures.ciede2000:.2f}",
            f"{painted.colorfulness_ratio:.3f}",
        )
    console = out()
    console.print(made)
    console.print(f"Page: {printable(page)}")
