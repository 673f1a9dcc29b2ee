"""Loss curves over the epochs, as SVG files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from lxml import etree
from lxml.builder import E

from restoration.evaluation.report.charts import HEIGHT, INKS, WIDTH, Line, chart, even_axis
from restoration.study.comparisons import Comparison
from restoration.study.run_folder import SeedRunFolder

LOSSES = {
    "l1": "L1 on training pictures, normalized",
    "discriminator": "loss of the discriminator",
}
_STYLE = """
svg { background: #fff; } text { font: 12px system-ui, sans-serif; fill: #333; }
.grid { stroke: #e4e4e4; } .axis { stroke: #888; }
"""
_MARKS = 6
_LETTER = 7


def curve_files(comparison: Comparison, folder: Path) -> dict[str, Path]:
    """Draw each loss of the runs of a comparison; return the files by loss."""
    files = {}
    for loss, words in LOSSES.items():
        lines = _lines(comparison.folders, loss)
        if not lines:
            continue
        drawing = _chart(f"{words}, {comparison.shape}", lines, words)
        path = folder / f"curve-{comparison.name}-{loss}.svg"
        path.write_bytes(etree.tostring(drawing, encoding="utf-8", pretty_print=True))
        files[loss] = path
    return files


def _chart(title: str, lines: Sequence[Line], loss: str) -> etree._Element:
    points = [point for line in lines for point in line.points]
    epochs, values = [0.0, *(x for x, _ in points)], [0.0, *(y for _, y in points)]
    drawing = chart(
        title,
        even_axis("epoch", epochs, max(1.0, _step(max(epochs)))),
        even_axis(loss, values, _step(max(values))),
        lines,
    )
    width = max(WIDTH, 90 + sum(50 + _LETTER * len(line.name) for line in lines))
    drawing.set("viewBox", f"0 0 {width} {HEIGHT}")
    drawing.set("width", str(width))
    drawing.set("xmlns", "http://www.w3.org/2000/svg")
    drawing.insert(1, E.style(_STYLE))
    return drawing


def _lines(folders: Sequence[SeedRunFolder], loss: str) -> list[Line]:
    found: list[Line] = []
    for folder in folders:
        recipe = folder.recipe()
        if loss == "discriminator" and recipe.critic == "none":
            continue
        points = tuple((float(line["epoch"]), float(line[loss])) for line in folder.lines())
        found.append(Line(recipe.name, INKS[len(found) % len(INKS)], points, {}))
    return found


def _step(most: float) -> float:
    """Return a round distance between marks, with at most six marks up to `most`."""
    rough = max(most, 1e-6) / _MARKS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * part for part in (1.0, 2.0, 5.0, 10.0) if power * part >= rough)
