"""Which charts an evaluation has: the price of strength, the vividness, the worth of the confidence."""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

from restoration.evaluation.groups import Group
from restoration.evaluation.measuring import Evaluation
from restoration.evaluation.reliability import Tenth
from restoration.evaluation.report.charts import INKS, TRUTH_INK, Axis, Line, chart, even_axis
from restoration.evaluation.vividness import SHOWN_BINS, SHOWN_WIDTH

_SHARES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def strength_chart(evaluation: Evaluation, group: str) -> etree._Element:
    """Draw chroma error over colorfulness as the strength rises, one line a model."""
    lines = []
    for place, (name, points) in enumerate(evaluation.trades.items()):
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


def vividness_chart(group: Group) -> etree._Element:
    """Draw the shares of pixels by chroma magnitude, the truth's dotted."""
    lines = [
        Line(name, INKS[place % len(INKS)], _steps(rendering.vividness), {})
        for place, (name, rendering) in enumerate(group.models.items())
    ]
    lines.append(Line("truth", TRUTH_INK, _steps(group.truth.vividness), {}, dotted=True))
    last = SHOWN_BINS * SHOWN_WIDTH
    return chart(
        f"Vividness: share of pixels by chroma, {group.name}",
        Axis("chroma magnitude (last bin: all above)", 0.0, last, (0.0, 0.1, 0.2, 0.3, 0.4)),
        Axis("share of pixels", _SHARES[0], _SHARES[-1], _SHARES, logarithmic=True, percent=True),
        lines,
    )


def calibration_chart(evaluation: Evaluation) -> etree._Element:
    """Draw how often a color was close to the truth over how often the confidence said so."""
    ends = ((0.0, 0.0), (1.0, 1.0))
    tenths = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    return chart(
        "Share of pixels close to the truth over confidence, by tenths of the pixels",
        Axis("confidence", 0.0, 1.0, tenths),
        Axis("close to the truth", 0.0, 1.0, tenths),
        [
            *_by_confidence(evaluation, lambda tenth: tenth.close),
            Line("as foretold", TRUTH_INK, ends, {}, dotted=True),
        ],
    )


def reliability_chart(evaluation: Evaluation) -> etree._Element:
    """Draw the chroma error over the confidence, tenth by tenth."""
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
