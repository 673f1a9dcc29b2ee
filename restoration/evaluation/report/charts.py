"""How figures are drawn: lines over two axes, as SVG inside the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lxml import etree
from lxml.builder import E

WIDTH, HEIGHT = 560, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 40, 48
_LEGEND = 12
_LETTER = 7
INKS = ("#0b6e99", "#b5482a", "#3d7a37", "#7a4fa3", "#8a6d00", "#a8326b")
TRUTH_INK = "#111111"

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: what it shows, from where to where, and where it is marked."""

    title: str
    low: float
    high: float
    marks: tuple[float, ...]
    logarithmic: bool = False
    percent: bool = False
    """Whether the marks are written in percent."""

    def written(self, mark: float) -> str:
        """Return a mark as text."""
        return f"{100 * mark:g}%" if self.percent else f"{mark:g}"

    def part(self, value: float) -> float:
        """Return where a value lies, 0 at the low end and 1 at the high end; values beyond lie on the end."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points; `labels` stand beside those points that have one."""

    name: str
    ink: str
    points: tuple[Point, ...]
    labels: Mapping[int, str]
    dotted: bool = False


def chart(title: str, across: Axis, up: Axis, lines: Sequence[Line]) -> etree._Element:
    """Draw lines with a legend."""
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
    """Return an axis over all values, marked at multiples of `step`."""
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
    """Name the lines in a row above the frame."""
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
