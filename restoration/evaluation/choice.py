"""Which pictures are worth a look."""

from __future__ import annotations

from collections.abc import Sequence

from restoration.evaluation.groups import MeasuredPicture


def worst_and_best(
    pictures: Sequence[MeasuredPicture], model: str, most: int
) -> tuple[tuple[MeasuredPicture, ...], tuple[MeasuredPicture, ...]]:
    """Return the pictures whose chroma error exceeds the gray picture's most, and those that beat it most.

    At most `most` of each, the furthest first; no picture is both.
    """

    def gain(one: MeasuredPicture) -> tuple[float, str]:
        return one.gray.figures.chroma_l1 - one.models[model].figures.chroma_l1, one.name

    ordered = sorted(pictures, key=gain)
    most = min(most, len(ordered) // 2 or 1)
    return tuple(ordered[:most]), tuple(reversed(ordered[most:][-most:]))


def evenly_spaced(pictures: Sequence[MeasuredPicture], most: int) -> tuple[MeasuredPicture, ...]:
    """Return at most `most` pictures at even distances."""
    if len(pictures) <= most:
        return tuple(pictures)
    return tuple(pictures[(2 * place + 1) * len(pictures) // (2 * most)] for place in range(most))
