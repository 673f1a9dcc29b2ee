"""Tables of an evaluation on the terminal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from worker.console import out, table
from worker.formatting import count
from worker.printable import printable

if TYPE_CHECKING:
    from restoration import Preset
    from restoration.evaluation import (
        Evaluation,
        Group,
        Reliability,
        ScanFigures,
        StrengthPoint,
        TilingFigures,
    )

_SHOWN = 5


def print_evaluation(evaluation: "Evaluation") -> None:
    """Print all tables of an evaluation on standard output."""
    from restoration.evaluation import (
        frechet_note,
        measured_note,
        reliability_note,
        scans_note,
        tiling_note,
    )

    console = out()
    console.print(measured_note(evaluation))
    console.print(_figures(evaluation.groups))
    console.print(frechet_note(evaluation))
    for name, points in evaluation.strength_curves.items():
        console.print(_trade(name, points))
    for name, reliability in evaluation.reliabilities.items():
        console.print(f"{name}: confidence. {reliability_note(reliability)}")
        console.print(_reliability(reliability))
    console.print(_extremes(evaluation))
    if evaluation.scans is not None:
        console.print(scans_note(evaluation.scans))
        for name, figures in evaluation.scans.models.items():
            console.print(_scans(name, figures))
    if evaluation.tiling is not None:
        console.print(tiling_note(evaluation.tiling))
        for name, presets in evaluation.tiling.models.items():
            console.print(_tiling(name, presets))


def _figures(groups: Sequence["Group"]) -> object:
    from restoration.evaluation import COLUMNS, cells

    made = table("set", "pictures", "", *COLUMNS, right=("pictures", *COLUMNS))
    for group in groups:
        for place, (name, rendering) in enumerate(group.renderings()):
            head = (group.name, str(group.pictures)) if place == 0 else ("", "")
            made.add_row(*head, name, *cells(rendering))
    return made


def _trade(name: str, points: Sequence["StrengthPoint"]) -> object:
    from restoration.evaluation import by_strength

    groups = dict.fromkeys(point.group for point in points)
    columns = [f"{group}: {figure}" for group in groups for figure in ("error of gray's", "color of truth's")]
    made = table("strength", *columns, title=f"{name}: strength", right=("strength", *columns))
    for strength, same in by_strength(points).items():
        ratios = [
            f"{ratio:.3f}" for point in same for ratio in (point.chroma_ratio, point.colorfulness_ratio)
        ]
        made.add_row(f"{strength:.1f}", *ratios)
    return made


def _reliability(reliability: "Reliability") -> object:
    from restoration.evaluation import TENTH_COLUMNS, tenth_cells

    made = table("tenth of the pixels", *TENTH_COLUMNS, right=TENTH_COLUMNS)
    for number, tenth in enumerate(reliability.tenths, start=1):
        made.add_row(str(number), *tenth_cells(tenth))
    return made


def _extremes(evaluation: "Evaluation") -> object:
    from restoration.evaluation import worst_and_best

    columns = ("chroma error", "gray's", "difference")
    made = table("model", "", "picture", *columns, right=columns)
    for model in evaluation.models:
        for word, pictures in zip(
            ("worst", "best"), worst_and_best(evaluation.pictures, model.name, _SHOWN), strict=True
        ):
            for place, one in enumerate(pictures):
                error, gray = one.models[model.name].figures.chroma_l1, one.gray.figures.chroma_l1
                head = (model.name, word) if place == 0 else ("", "")
                made.add_row(
                    *head, printable(one.name), f"{error:.4f}", f"{gray:.4f}", f"{error - gray:+.4f}"
                )
    return made


def _scans(name: str, figures: Sequence["ScanFigures"]) -> object:
    from restoration.evaluation import SCAN_COLUMNS, scan_cells

    over = sum(one.blotched for one in figures)
    title = f"{name}: {count(over, 'scan')} of {len(figures)} over the limit"
    made = table("scan", *SCAN_COLUMNS, title=title, right=SCAN_COLUMNS)
    for one in figures[: max(_SHOWN, over)]:
        made.add_row(printable(one.name), *scan_cells(one))
    return made


def _tiling(name: str, presets: "Mapping[Preset, Sequence[TilingFigures]]") -> object:
    from restoration.evaluation import TILING_COLUMNS, tiling_cells

    made = table(
        "preset", "pictures", *TILING_COLUMNS, title=f"{name}: seams", right=("pictures", *TILING_COLUMNS)
    )
    for preset, figures in presets.items():
        if figures:
            made.add_row(preset.value, str(len(figures)), *tiling_cells(figures))
    return made
