"""Line charts as SVG, and the charts of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lxml import etree
from lxml.builder import E

from restoration.evaluation.chroma_histogram import SHOWN_BINS, SHOWN_WIDTH
from restoration.evaluation.groups import Group
from restoration.evaluation.measuring import Evaluation
from restoration.evaluation.reliability import Tenth

WIDTH, HEIGHT = 560, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 40, 48
_LEGEND = 12
_LETTER = 7
INKS = ("#0b6e99", "#b5482a", "#3d7a37", "#7a4fa3", "#8a6d00", "#a8326b")
TRUTH_INK = "#111111"

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: title, range and tick marks."""

    title: str
    low: float
    high: float
    marks: tuple[float, ...]
    logarithmic: bool = False
    percent: bool = False
    """True if marks are written in percent."""

    def written(self, mark: float) -> str:
        """Return a mark as text."""
        return f"{100 * mark:g}%" if self.percent else f"{mark:g}"

    def part(self, value: float) -> float:
        """Return the position of a value, 0 at the low end and 1 at the high end; clipped to the range."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points; `labels` are texts beside points, by their index."""

    name: str
    ink: str
    points: tuple[Point, ...]
    labels: Mapping[int, str]
    dotted: bool = False


def chart(title: str, across: Axis, up: Axis, lines: Sequence[Line]) -> etree._Element:
    """Return a chart of lines with a legend."""
    return E.svg(
        E.title(title),
        *_frame(across, up),
        *(element for line in lines for element in _drawn(line, across, up)),
        *_legend(lines),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=str(WIDTH),
        height=str(HEIGHT),
        role="img",
    )


def even_axis(title: str, values: Sequence[float], step: float) -> Axis:
    """Return an axis over all values with marks at multiples of `step`."""
    low = math.floor(min(values) / step + 1e-9)
    high = max(math.ceil(max(values) / step - 1e-9), low + 1)
    return Axis(title, low * step, high * step, tuple(round(n * step, 9) for n in range(low, high + 1)))


def _at(point: Point, across: Axis, up: Axis) -> Point:
    x = _LEFT + across.part(point[0]) * (WIDTH - _LEFT - _RIGHT)
    y = HEIGHT - _BOTTOM - up.part(point[1]) * (HEIGHT - _TOP - _BOTTOM)
    return round(x, 1), round(y, 1)


def _frame(across: Axis, up: Axis) -> list[etree._Element]:
    parts = []
    for mark in up.marks:
        _, y = _at((across.low, mark), across, up)
        parts.append(_stroke((_LEFT, y), (WIDTH - _RIGHT, y), "grid"))
        parts.append(_text((_LEFT - 6, y + 4), up.written(mark), "end"))
    for mark in across.marks:
        x, _ = _at((mark, up.low), across, up)
        parts.append(_stroke((x, HEIGHT - _BOTTOM), (x, HEIGHT - _BOTTOM + 4), "axis"))
        parts.append(_text((x, HEIGHT - _BOTTOM + 18), across.written(mark), "middle"))
    parts.append(_stroke((_LEFT, HEIGHT - _BOTTOM), (WIDTH - _RIGHT, HEIGHT - _BOTTOM), "axis"))
    parts.append(_text(((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 8), across.title, "middle"))
    side = _text((14, (HEIGHT - _BOTTOM + _TOP) / 2), up.title, "middle")
    side.set("transform", f"rotate(-90 14 {(HEIGHT - _BOTTOM + _TOP) / 2:g})")
    return [*parts, side]


def _drawn(line: Line, across: Axis, up: Axis) -> list[etree._Element]:
    places = [_at(point, across, up) for point in line.points]
    way = E.polyline(points=" ".join(f"{x:g},{y:g}" for x, y in places), fill="none", stroke=line.ink)
    way.set("stroke-width", "2")
    if line.dotted:
        way.set("stroke-dasharray", "5 4")
    parts = [way]
    for index, label in line.labels.items():
        x, y = places[index]
        parts.append(E.circle(cx=f"{x:g}", cy=f"{y:g}", r="3", fill=line.ink))
        parts.append(_text((x + 6, y - 6), label, "start"))
    return parts


def _legend(lines: Sequence[Line]) -> list[etree._Element]:
    """Return the names of the lines in a row above the frame."""
    parts = []
    left = float(_LEFT)
    for line in lines:
        mark = E.line(x1=f"{left:g}", x2=f"{left + 24:g}", y1=str(_LEGEND), y2=str(_LEGEND), stroke=line.ink)
        mark.set("stroke-width", "2")
        if line.dotted:
            mark.set("stroke-dasharray", "5 4")
        parts += [mark, _text((left + 30, _LEGEND + 4), line.name, "start")]
        left += 30 + _LETTER * len(line.name) + 20
    return parts


def _stroke(first: Point, second: Point, kind: str) -> etree._Element:
    ends = {"x1": first[0], "y1": first[1], "x2": second[0], "y2": second[1]}
    return E.line({"class": kind, **{name: f"{value:g}" for name, value in ends.items()}})


def _text(at: Point, words: str, anchor: str) -> etree._Element:
    return E.text(words, {"x": f"{at[0]:g}", "y": f"{at[1]:g}", "text-anchor": anchor})


_SHARES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def strength_chart(evaluation: Evaluation, group: str) -> etree._Element:
    """Return the chart of chroma error over colorfulness at rising strength, one line per model."""
    lines = []
    for place, (name, points) in enumerate(evaluation.strength_curves.items()):
        chosen = [point for point in points if point.group == group]
        labels = {i: f"{p.strength:g}" for i, p in enumerate(chosen) if p.strength in {0.5, 1.0, 1.5}}
        way = tuple((point.colorfulness_ratio, point.chroma_ratio) for point in chosen)
        lines.append(Line(name, INKS[place % len(INKS)], way, labels))
    everywhere = [point for line in lines for point in line.points]
    return chart(
        f"Strength: chroma error over colorfulness, {group}",
        even_axis("colorfulness, of the truth's", [x for x, _ in everywhere], 0.1),
        even_axis("chroma error, of gray's", [y for _, y in everywhere], 0.02),
        lines,
    )


def chroma_chart(group: Group) -> etree._Element:
    """Return the chart of the shares of pixels by chroma magnitude; the truth is dotted."""
    lines = [
        Line(name, INKS[place % len(INKS)], _steps(rendering.vividness), {})
        for place, (name, rendering) in enumerate(group.models.items())
    ]
    lines.append(Line("truth", TRUTH_INK, _steps(group.truth.vividness), {}, dotted=True))
    last = SHOWN_BINS * SHOWN_WIDTH
    return chart(
        f"Share of pixels by chroma magnitude, {group.name}",
        Axis("chroma magnitude (last bin: all above)", 0.0, last, (0.0, 0.1, 0.2, 0.3, 0.4)),
        Axis("share of pixels", _SHARES[0], _SHARES[-1], _SHARES, logarithmic=True, percent=True),
        lines,
    )


def calibration_chart(evaluation: Evaluation) -> etree._Element:
    """Return the reliability diagram: share of pixels close to the truth over confidence."""
    ends = ((0.0, 0.0), (1.0, 1.0))
    tenths = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    return chart(
        "Share of pixels close to the truth over confidence, by tenths of the pixels",
        Axis("confidence", 0.0, 1.0, tenths),
        Axis("close to the truth", 0.0, 1.0, tenths),
        [
            *_by_confidence(evaluation, lambda tenth: tenth.close),
            Line("as predicted", TRUTH_INK, ends, {}, dotted=True),
        ],
    )


def reliability_chart(evaluation: Evaluation) -> etree._Element:
    """Return the chart of chroma error over confidence, by tenths of the pixels."""
    lines = _by_confidence(evaluation, lambda tenth: tenth.error)
    everywhere = [point for line in lines for point in line.points]
    return chart(
        "Chroma error over confidence, by tenths of the pixels",
        even_axis("confidence", [x for x, _ in everywhere], 0.1),
        even_axis("mean chroma error", [0.0, *(y for _, y in everywhere)], 0.02),
        lines,
    )


def _by_confidence(evaluation: Evaluation, figure: Callable[[Tenth], float]) -> list[Line]:
    return [
        Line(
            name,
            INKS[place % len(INKS)],
            tuple((tenth.confidence, figure(tenth)) for tenth in reliability.tenths),
            dict.fromkeys(range(len(reliability.tenths)), ""),
        )
        for place, (name, reliability) in enumerate(evaluation.reliabilities.items())
    ]


def _steps(shares: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    edges = [(place * SHOWN_WIDTH, (place + 1) * SHOWN_WIDTH) for place in range(len(shares))]
    return tuple((edge, share) for pair, share in zip(edges, shares, strict=True) for edge in pair)
