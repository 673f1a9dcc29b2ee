"""The report of an evaluation: a folder with an HTML page, a JSON document and pictures."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lxml import etree
from lxml.builder import E

from restoration.atomic_write import writing_to
from restoration.errors import display_name
from restoration.evaluation.document import as_json, evaluation_document
from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.formatting import (
    frechet_note,
    measured_note,
    reliability_note,
    scans_note,
    tiling_note,
)
from restoration.evaluation.groups import MeasuredPicture, evenly_spaced, worst_and_best
from restoration.evaluation.measuring import Evaluation
from restoration.evaluation.pictures import HISTORICAL, OVERALL
from restoration.evaluation.report import tables
from restoration.evaluation.report.charts import (
    calibration_chart,
    chroma_chart,
    reliability_chart,
    strength_chart,
)
from restoration.evaluation.report.image_strips import StripFile, StripFolder
from restoration.evaluation.scan_blotches import ScansMeasured
from restoration.evaluation.tiled import TilingMeasured

MAX_EXTREMES = 12
MAX_OF_SET = 24
MAX_ERROR_MAPS = 12
MAX_SCANS = 40

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fbfaf8; margin: 0 auto;
  max-width: 1440px; padding: 1rem 2rem 4rem; }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; padding-bottom: .3rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85rem; display: block;
  overflow-x: auto; }
th, td { padding: .15rem .6rem; text-align: right; }
th.word, td.word { text-align: left; white-space: nowrap; }
tbody.group { border-top: 1px solid #bbb; }
tr.beside td { color: #666; }
tr.model td { font-weight: 600; }
caption { text-align: left; font-weight: 600; padding: .4rem 0; }
figure { margin: 0 0 1rem; break-inside: avoid; }
figure img { max-width: 100%; height: auto; display: block; }
figcaption { font-size: .8rem; color: #555; overflow-wrap: anywhere; }
.strips { display: grid; gap: 1rem 1.5rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, calc(var(--panes) * 13rem)), 1fr)); }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; }
svg { background: #fff; border: 1px solid #ddd; max-width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: #333; }
svg .grid { stroke: #e4e4e4; }
svg .axis { stroke: #888; }
nav a { margin-right: 1rem; }
"""


def write_report(evaluation: Evaluation, strips: StripFolder) -> None:
    """Write page and document next to the pictures, and remove the pictures that are not shown.

    Raises NoSpace or OutputUnavailable.
    """
    page = _Page(evaluation, strips)
    html = etree.tostring(
        page.html(), method="html", doctype="<!DOCTYPE html>", encoding="utf-8", pretty_print=True
    )
    strips.keep(page.shown)
    with writing_to(strips.folder):
        (strips.folder / PAGE).write_bytes(html)
        (strips.folder / DOCUMENT).write_text(as_json(evaluation_document(evaluation)), encoding="utf-8")


class _Page:
    """Builds the page and collects the picture files that it shows."""

    def __init__(self, evaluation: Evaluation, strips: StripFolder) -> None:
        self.evaluation = evaluation
        self.strips = strips
        self.shown: list[StripFile] = []
        self.models = [model.name for model in evaluation.models]

    def html(self) -> etree._Element:
        title = f"Evaluation: {', '.join(self.models)}"
        sections = [
            self._figures(),
            self._strength(),
            self._colorfulness(),
            *([self._confidence()] if self.evaluation.reliabilities else []),
            self._extremes(),
            *([self._scans(self.evaluation.scans)] if self.evaluation.scans is not None else []),
            *([self._tiling(self.evaluation.tiling)] if self.evaluation.tiling is not None else []),
            self._sets(),
        ]
        links = [E.a(section.findtext("h2") or "", href=f"#{section.get('id')}") for section in sections]
        return E.html(
            E.head(
                E.meta(charset="utf-8"),
                E.meta(name="viewport", content="width=device-width, initial-scale=1"),
                E.title(title),
                E.style(_STYLE),
            ),
            E.body(
                E.h1(title),
                E.p(measured_note(self.evaluation)),
                tables.model_table(self.evaluation),
                E.nav(*links),
                E.main(*sections),
            ),
            lang="en",
        )

    def _figures(self) -> etree._Element:
        return _section(
            "figures",
            "Figures",
            E.p(frechet_note(self.evaluation)),
            tables.metrics_table(self.evaluation.groups),
        )

    def _strength(self) -> etree._Element:
        groups = [name for name in (OVERALL, HISTORICAL) if name in {g.name for g in self.evaluation.groups}]
        charts = [_captioned(strength_chart(self.evaluation, group)) for group in groups]
        listed = [
            tables.strength_table(name, points) for name, points in self.evaluation.strength_curves.items()
        ]
        return _section(
            "strength",
            "Strength",
            E.p("More strength gives more color and more error: each line has strengths from 0.5 to 1.6."),
            E.div({"class": "charts"}, *charts),
            *listed,
        )

    def _colorfulness(self) -> etree._Element:
        charts = [
            _captioned(chroma_chart(group))
            for group in self.evaluation.groups
            if group.name in {OVERALL, HISTORICAL}
        ]
        return _section(
            "colorfulness",
            "Colorfulness",
            E.p("Share of pixels by the magnitude of their chroma; all pixels of a gray picture are at 0."),
            E.div({"class": "charts"}, *charts),
        )

    def _confidence(self) -> etree._Element:
        parts: list[etree._Element] = []
        for name, reliability in self.evaluation.reliabilities.items():
            drawn = [
                self._figure(
                    self.strips.error_maps[one.name, name], one.name, "as colored, error, uncertainty"
                )
                for one in evenly_spaced(self.evaluation.pictures, MAX_ERROR_MAPS)
                if (one.name, name) in self.strips.error_maps
            ]
            parts += [
                E.h3(name),
                E.p(reliability_note(reliability)),
                tables.reliability_table(reliability),
                E.p("From left to right: as colored, error, uncertainty (1 - confidence); bright is high."),
                _strips(3, drawn),
            ]
        drawings = (calibration_chart(self.evaluation), reliability_chart(self.evaluation))
        charts = E.div({"class": "charts"}, *map(_captioned, drawings))
        return _section("confidence", "Confidence", charts, *parts)

    def _extremes(self) -> etree._Element:
        parts: list[etree._Element] = [E.p(f"From left to right: {self._columns()}.")]
        for name in self.models:
            worst, best = worst_and_best(self.evaluation.pictures, name, MAX_EXTREMES)
            for word, pictures in (("worst", worst), ("best", best)):
                parts += [E.h3(f"{name}: {word}, by chroma error against gray"), self._grid(pictures)]
        return _section("extremes", "Worst and best", *parts)

    def _scans(self, scans: ScansMeasured) -> etree._Element:
        parts: list[etree._Element] = [E.p(scans_note(scans))]
        parts += [tables.scan_table(name, found) for name, found in scans.models.items()]
        worst = {one.name: one for found in scans.models.values() for one in found[:MAX_SCANS]}
        drawn = [
            self._figure(self.strips.scans[name], name, ", ".join(("gray", *self.models))) for name in worst
        ]
        words = ", ".join(("the scan", *self.models))
        return _section(
            "scans",
            "Scans",
            *parts,
            E.p(f"From left to right: {words}."),
            _strips(1 + len(self.models), drawn),
        )

    def _tiling(self, tiling: TilingMeasured) -> etree._Element:
        listed = [tables.tiling_table(name, presets) for name, presets in tiling.models.items()]
        return _section("seams", "Seams", E.p(tiling_note(tiling)), *listed)

    def _sets(self) -> etree._Element:
        parts: list[etree._Element] = [E.p(f"From left to right: {self._columns()}.")]
        for group in self.evaluation.groups:
            if group.name in {OVERALL, HISTORICAL}:
                continue
            members = [one for one in self.evaluation.pictures if one.set == group.name]
            shown = evenly_spaced(members, MAX_OF_SET)
            parts += [
                E.h3(f"{display_name(group.name)}: {len(shown)} of {len(members)} pictures"),
                self._grid(shown),
            ]
        return _section("sets", "Sets", *parts)

    def _grid(self, pictures: Sequence[MeasuredPicture]) -> etree._Element:
        return _strips(2 + len(self.models), [self._picture(one) for one in pictures])

    def _picture(self, one: MeasuredPicture) -> etree._Element:
        gray = one.gray.figures.chroma_l1
        ratios = "; ".join(
            f"{name} {made.figures.chroma_l1:.4f} ({made.figures.chroma_l1 - gray:+.4f})"
            for name, made in one.models.items()
        )
        note = f"chroma error: gray {gray:.4f}; {ratios}"
        return self._figure(self.strips.pictures[one.name], one.name, self._columns(), note)

    def _columns(self) -> str:
        return ", ".join(("gray", *self.models, "truth"))

    def _figure(self, strip: StripFile, name: str, columns: str, note: str = "") -> etree._Element:
        self.shown.append(strip)
        shown = display_name(name)
        return E.figure(
            E.img(
                src=strip.file,
                alt=f"{shown}: {columns}",
                width=str(strip.width),
                height=str(strip.height),
                loading="lazy",
            ),
            E.figcaption(f"{shown}{': ' if note else ''}{note}"),
        )


def _strips(panes: int, figures_: Sequence[etree._Element]) -> etree._Element:
    return E.div({"class": "strips", "style": f"--panes: {panes}"}, *figures_)


def _captioned(chart: etree._Element) -> etree._Element:
    return E.figure(E.figcaption(chart.findtext("title") or ""), chart)


def _section(name: str, title: str, *parts: etree._Element) -> etree._Element:
    return E.section(E.h2(title), *parts, id=name)


PAGE = "index.html"
DOCUMENT = "evaluation.json"


@contextmanager
def report_folder(out: Path | None) -> Iterator[StripFolder | None]:
    """Yield a listener that draws pictures into a draft folder, which becomes `out` at the end.

    After an error the draft is removed, and an earlier report stays. Yields None if `out` is None. Raises
    EvaluationError if `out` holds anything but a report, NoSpace, OutputUnavailable.
    """
    if out is None:
        yield None
        return
    _require_replaceable(out)
    out = out.resolve()
    draft = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    with writing_to(out.parent):
        draft.mkdir(parents=True)
    try:
        yield StripFolder(draft)
        with writing_to(out.parent):
            if out.exists():
                shutil.rmtree(out)
            draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _require_replaceable(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        found = "a file or a link has this name"
    elif out.is_dir() and any(out.iterdir()) and not all((out / name).is_file() for name in (PAGE, DOCUMENT)):
        found = "the folder holds something that is not a report"
    else:
        return
    raise EvaluationError(
        reason=found, remedy="choose an empty folder, or one with an earlier report", path=out
    )
