"""`saek evaluate`: compare models with the gray picture and the original."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from worker.cli.context import settings_and_logs
from worker.cli.evaluation_tables import print_evaluation
from worker.cli.options import Device, Engine, Json
from worker.cli.recipe_options import PresetName
from worker.console import err, long_progress, write_json

_HalfName = Literal["validation", "test", "all"]
"""`restoration.evaluation.Half`, spelled out so that help need not load `restoration`."""

_LINE_SECONDS = 30.0


def evaluate(
    *,
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help="Installed models, or folders (with a slash) of a model or of a training run.",
            show_default=False,
        ),
    ],
    data: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder of color pictures.", exists=True, file_okay=False, show_default=False
        ),
    ],
    half: Annotated[
        _HalfName,
        typer.Option(help="Half of the held-out pictures to use; only with a manifest."),
    ] = "test",
    scans: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of monochrome scans to check for color blotches.",
            exists=True,
            file_okay=False,
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the report (index.html, evaluation.json); replaces an earlier report.",
            file_okay=False,
            show_default=False,
        ),
    ] = None,
    side: Annotated[
        int, typer.Option(min=32, max=4096, help="Longer side of the measured pictures, in pixels.")
    ] = 256,
    preset: Annotated[PresetName, typer.Option(help="Resolution at which color is inferred.")] = "fast",
    strength: Annotated[float, typer.Option(min=0.0, max=2.0, help="Chroma gain.")] = 1.0,
    blotch_threshold: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=0.999,
            help="Chroma above which color counts as a blotch.",
            show_default="the 99.9th percentile of the training pictures",
        ),
    ] = None,
    confidence: Annotated[
        bool, typer.Option(help="Compute the confidence map and compare it with the error.")
    ] = True,
    tiling: Annotated[
        bool,
        typer.Option(
            "--tiling", help="Measure seams with every preset, on the scans if given, else on the pictures."
        ),
    ] = False,
    engine: Engine = None,
    device: Device = None,
    json: Json = False,
) -> None:
    """Color gray copies of color pictures and measure the error; gray and original are measured too."""
    from restoration import Preset
    from restoration.evaluation import (
        EvaluationOptions,
        Half,
        evaluate_models,
        evaluation_document,
        open_evaluated_models,
        report_folder,
        write_report,
    )
    from worker.models.library import library_from

    settings = settings_and_logs()
    options = EvaluationOptions(
        Half(half), side, Preset(preset), strength, confidence, tiling, blotch_threshold
    )
    opened = open_evaluated_models(
        models,
        library_from(settings),
        device or settings.device,
        settings.threads,
        engine or settings.engine,
    )
    with (
        long_progress("opening the models", _LINE_SECONDS) as show,
        report_folder(report) as pictures,
    ):

        def progress(what: str, done: int, total: int) -> None:
            counted = f"{done:,} of {total:,}"
            show(what, counted, done, total, f"{what}: {counted}")

        evaluation = evaluate_models(opened, data, options, scans=scans, progress=progress, listener=pictures)
        if pictures is not None:
            write_report(evaluation, pictures)
    if json:
        write_json(evaluation_document(evaluation))
    else:
        print_evaluation(evaluation)
    if report is not None:
        err().print(f"Report: {report / 'index.html'}")
