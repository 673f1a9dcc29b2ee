"""Reliability of constructed confidences."""

import numpy as np
import pytest

from restoration.colorize.predicted_error import CLOSE
from restoration.evaluation.reliability import ReliabilityTally
from restoration.training.metrics import chroma_error

RNG = np.random.default_rng(3)


def test_error_at_low_confidence_correlates_fully() -> None:
    tally = ReliabilityTally()
    error = RNG.random((40, 50)).astype(np.float32)

    assert tally.add(1 - error, error, error) == pytest.approx(1.0)
    assert tally.result().correlation == pytest.approx(1.0)


def test_random_confidence_has_no_correlation() -> None:
    tally = ReliabilityTally()
    for _ in range(3):
        tally.add(*(RNG.random((80, 90)).astype(np.float32) for _ in range(3)))

    result = tally.result()

    assert abs(result.correlation or 1) < 0.08
    assert (result.pixels, result.pictures) == (3 * 80 * 90 // 8, 3)


def test_a_constant_confidence_has_no_correlation() -> None:
    tally = ReliabilityTally()
    error = RNG.random((20, 20)).astype(np.float32)

    assert tally.add(np.full((20, 20), 0.5, np.float32), error, error) is None
    assert (tally.result().correlation, tally.result().picture_correlation, tally.result().pictures) == (
        None,
        None,
        0,
    )


def test_pictures_that_are_each_right_may_be_wrong_together() -> None:
    """Inside each picture doubt goes with error; the picture with more doubt has less error."""
    tally = ReliabilityTally()
    error = RNG.random((30, 30)).astype(np.float32) * 0.1
    tally.add(0.2 - error, error, error)
    tally.add(0.9 - error, error + 0.5, error)

    assert tally.result().picture_correlation == pytest.approx(1.0)
    assert (tally.result().correlation or 1) < 0


def test_tenths_are_ordered_and_have_the_share_of_close_colors() -> None:
    tally = ReliabilityTally()
    confidence = np.linspace(0, 1, 64_000, dtype=np.float32).reshape(160, 400)
    right = RNG.random(confidence.shape) < confidence
    tally.add(confidence, np.where(right, CLOSE / 2, CLOSE * 2).astype(np.float32), confidence)

    tenths = tally.result().tenths

    assert [tenth.confidence for tenth in tenths] == pytest.approx(np.arange(0.05, 1, 0.1), abs=0.01)
    assert [tenth.close for tenth in tenths] == pytest.approx([t.confidence for t in tenths], abs=0.15)
    assert tenths[0].error > tenths[-1].error


def test_the_error_is_the_distance_in_the_plane_of_chroma() -> None:
    red, gray = np.array([[[255, 0, 0]]], np.uint8), np.array([[[76, 76, 76]]], np.uint8)

    assert chroma_error(red, gray)[0, 0] == pytest.approx(np.hypot(0.5, 0.299 / 1.772), abs=1e-5)


def test_no_pictures_are_an_error() -> None:
    with pytest.raises(ValueError, match="no pictures"):
        ReliabilityTally().result()
