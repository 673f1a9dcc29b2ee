"""HTML tables of the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lxml import etree
from lxml.builder import E

from restoration.errors import display_name
from restoration.evaluation.formatting import (
    COLUMNS,
    SCAN_COLUMNS,
    TENTH_COLUMNS,
    TILING_COLUMNS,
    cells,
    scan_cells,
    tenth_cells,
    tiling_cells,
)
from restoration.evaluation.groups import Group
from restoration.evaluation.measuring import Evaluation
from restoration.evaluation.reliability import Reliability
from restoration.evaluation.scan_blotches import ScanFigures
from restoration.evaluation.strength_curve import StrengthPoint, by_strength
from restoration.evaluation.tiled import TilingFigures
from restoration.recipe import Preset

_MOST_SCANS = 20


def model_table(evaluation: Evaluation) -> etree._Element:
    """Return the table of models and engines."""
    rows = [
        _row(
            (model.name, model.card.architecture, model.card.weights, model.model.engine.name),
            words=4,
        )
        for model in evaluation.models
    ]
    return E.table(_head(("model", "architecture", "weights, sha256", "engine"), words=4), E.tbody(*rows))


def metrics_table(groups: Sequence[Group]) -> etree._Element:
    """Return the table of metrics: gray, models and truth of each group."""
    bodies = []
    for group in groups:
        rows = []
        for place, (name, rendering) in enumerate(group.renderings()):
            head = (display_name(group.name), str(group.pictures)) if place == 0 else ("", "")
            row = _row((*head, name, *cells(rendering)), words=3)
            row.set("class", "beside" if rendering is group.gray or rendering is group.truth else "model")
            rows.append(row)
        bodies.append(E.tbody({"class": "group"}, *rows))
    return E.table(_head(("set", "pictures", "", *COLUMNS), words=3), *bodies)


def strength_table(name: str, points: Sequence[StrengthPoint]) -> etree._Element:
    """Return the table of error and colorfulness at each strength."""
    groups = list(dict.fromkeys(point.group for point in points))
    columns = [f"{group}: {figure}" for group in groups for figure in ("error of gray's", "color of truth's")]
    rows = []
    for strength, same in by_strength(points).items():
        ratios = [
            f"{ratio:.3f}" for point in same for ratio in (point.chroma_ratio, point.colorfulness_ratio)
        ]
        rows.append(_row((f"{strength:.1f}", *ratios), words=0))
    return E.table(E.caption(name), _head(("strength", *columns), words=0), E.tbody(*rows))


def reliability_table(found: Reliability) -> etree._Element:
    """Return the table of errors by tenths of the pixels, the least confident first."""
    rows = [_row((str(n), *tenth_cells(one)), words=0) for n, one in enumerate(found.tenths, start=1)]
    return E.table(_head(("tenth of the pixels", *TENTH_COLUMNS), words=0), E.tbody(*rows))


def scan_table(name: str, found: Sequence[ScanFigures]) -> etree._Element:
    """Return the table of the scans with most blotches."""
    over = sum(one.blotched for one in found)
    rows = [
        _row((display_name(one.name), *scan_cells(one)), words=1) for one in found[: max(_MOST_SCANS, over)]
    ]
    caption = f"{name}: {over} of {len(found)} scans over the limit; the worst first"
    head = ("scan", *SCAN_COLUMNS)
    return E.table(E.caption(caption), _head(head, words=1), E.tbody(*rows))


def tiling_table(name: str, presets: Mapping[Preset, Sequence[TilingFigures]]) -> etree._Element:
    """Return the table of the worst and the mean metrics of each preset."""
    rows = [
        _row((preset.value, str(len(metrics_table)), *tiling_cells(metrics_table)), words=1)
        for preset, metrics_table in presets.items()
        if metrics_table
    ]
    head = ("preset", "pictures", *TILING_COLUMNS)
    return E.table(E.caption(name), _head(head, words=1), E.tbody(*rows))


def _head(columns: Iterable[str], *, words: int) -> etree._Element:
    cells_ = [E.th(name, {"scope": "col", **_kind(place, words)}) for place, name in enumerate(columns)]
    return E.thead(E.tr(*cells_))


def _row(columns: Iterable[str], *, words: int) -> etree._Element:
    return E.tr(*(E.td(text, _kind(place, words)) for place, text in enumerate(columns)))


def _kind(place: int, words: int) -> dict[str, str]:
    return {"class": "word"} if place < words else {}
