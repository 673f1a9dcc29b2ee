"""Color metrics by hue."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration.study.hues import HUES, HueTally, share_of, within

RED, YELLOW, GREEN, BLUE = (200, 30, 40), (220, 200, 40), (40, 160, 60), (40, 70, 200)


def _flat(*levels: tuple[int, int, int]) -> np.ndarray:
    """A picture with a band of 8 rows of each color."""
    return np.repeat(np.array(levels, dtype=np.uint8), 8, axis=0)[:, None].repeat(16, axis=1)


@given(st.floats(0, 360, exclude_max=True))
def test_a_hue_has_one_name_at_most(hue: float) -> None:
    assert sum(bool(within(np.array([hue]), name)[0]) for name in HUES) <= 1


def test_every_color_is_called_by_its_name() -> None:
    tally = HueTally()
    tally.add(_flat(RED, YELLOW, GREEN, BLUE), _flat(RED, YELLOW, GREEN, BLUE))

    found = tally.result()

    assert [one.name for one in found] == ["red", "yellow", "green", "blue"]
    assert [one.share for one in found] == [0.25] * 4
    assert [one.right for one in found] == [1.0] * 4
    assert [one.chroma_ratio for one in found] == [1.0] * 4
    assert [one.ciede2000 for one in found] == pytest.approx([0.0] * 4)


def test_reds_that_turn_brown_or_gray_are_told() -> None:
    tally = HueTally()
    tally.add(_flat((120, 100, 90), (128, 128, 128), YELLOW), _flat(RED, RED, YELLOW))

    red, yellow, green, _ = tally.result()

    assert red.share == pytest.approx(2 / 3)
    assert red.right == 0.0
    assert red.chroma_ratio is not None
    assert 0.0 < red.chroma_ratio < 0.2
    assert red.ciede2000 is not None
    assert red.ciede2000 > 20
    assert yellow.right == 1.0
    assert (green.share, green.chroma_ratio, green.right, green.ciede2000) == (0.0, None, None, None)


def test_warm_pictures_are_known_by_their_share() -> None:
    assert share_of(_flat(RED, YELLOW, BLUE, (128, 128, 128)), ("red", "yellow")) == 0.5
