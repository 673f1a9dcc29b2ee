"""Markdown tables of the film simulation, for the page of a model and docs/research/film.md."""

from __future__ import annotations

from restoration.training.film.emulsion import EMULSIONS, Emulsion
from restoration.training.film.stages import STAGES, FilmStage, Range


def film_tables() -> str:
    """Return two Markdown tables: the emulsions, and the stages in their order."""
    emulsions = "".join(_emulsion(emulsion) for emulsion in EMULSIONS)
    stages = "".join(_line(number, stage) for number, stage in enumerate(STAGES.values(), start=1))
    return (
        "| emulsion | response to red / green / blue light | share |\n|---|---|---:|\n"
        f"{emulsions}\n"
        "| | stage | probability | effect | strength | source |\n"
        "|---:|---|---:|---|---|---|\n"
        f"{stages}"
    )


def _emulsion(emulsion: Emulsion) -> str:
    response = " / ".join(f"{weight:.2f}" for weight in emulsion.response)
    return f"| {emulsion.name} | {response} | {emulsion.share:.0%} |\n"


def _line(number: int, stage: FilmStage) -> str:
    strength = "; ".join(f"{name} {_span(span)}" for name, span in stage.ranges.items()) or "see the table"
    often = "always" if stage.share >= 1 else f"{stage.share:.0%}"
    return f"| {number} | {stage.name} | {often} | {stage.effect} | {strength} | {stage.source} |\n"


def _span(span: Range) -> str:
    return f"{span.low:g} to {span.high:g} {span.unit}".rstrip()
