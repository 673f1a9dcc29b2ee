"""Normalization and its inverse, with the study's numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from restoration.study.preprocessing import Normalization, Preprocessing, gray_of

STUDY = Preprocessing()


def test_normalization_maps_the_mean_to_0_and_one_deviation_to_1() -> None:
    mean = torch.tensor([0.58090717, 0.52688643, 0.45678478]).view(1, 3, 1, 1)
    std = torch.tensor([0.25644188, 0.25482641, 0.24456465]).view(1, 3, 1, 1)

    assert torch.allclose(STUDY.color.apply(mean), torch.zeros(1, 3, 1, 1))
    assert torch.allclose(STUDY.color.apply(mean + std), torch.ones(1, 3, 1, 1), atol=1e-6)


def test_black_and_white_have_the_values_of_the_study() -> None:
    ends = np.array([0, 255], dtype=np.uint8)

    color = STUDY.target(np.repeat(ends.reshape(1, 1, 2, 1), 3, axis=3))
    gray = STUDY.condition(ends.reshape(1, 1, 2))

    assert color[0, :, 0, 0].tolist() == pytest.approx([-2.26526, -2.06763, -1.86775], abs=1e-4)
    assert color[0, :, 0, 1].tolist() == pytest.approx([1.63426, 1.85661, 2.22115], abs=1e-4)
    assert gray[0, :, 0, 0].tolist() == pytest.approx([-2.13581] * 3, abs=1e-4)
    assert gray[0, :, 0, 1].tolist() == pytest.approx([1.85596] * 3, abs=1e-4)


@given(arrays(np.uint8, (2, 3, 4, 3)))
def test_the_inverse_gives_every_picture_back(rgb: np.ndarray) -> None:
    assert np.array_equal(STUDY.picture(STUDY.target(rgb)), rgb)


@given(st.floats(-1, 2), st.floats(0, 1), st.floats(0.05, 1))
def test_the_inverse_undoes_any_normalization(value: float, mean: float, std: float) -> None:
    one = Normalization((mean,), (std,))
    values = torch.full((1, 1, 1, 1), value, dtype=torch.float64)

    assert one.invert(one.apply(values)).item() == pytest.approx(value, abs=1e-9)


def test_gray_is_bt_601_on_three_equal_channels() -> None:
    rgb = np.array([[[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]]], dtype=np.uint8)

    condition = STUDY.condition(gray_of(rgb))

    assert gray_of(rgb).ravel().tolist() == [76, 150, 29, 255]
    assert condition.shape == (1, 3, 1, 4)
    assert torch.equal(condition[:, 0], condition[:, 1])
    assert torch.equal(condition[:, 0], condition[:, 2])


def test_tanh_reaches_one_deviation_around_the_mean() -> None:
    low, high = zip(*STUDY.color.reach(), strict=True)

    assert low == pytest.approx([0.32447, 0.27206, 0.21222], abs=1e-4)
    assert high == pytest.approx([0.83735, 0.78171, 0.70135], abs=1e-4)
    assert STUDY.picture(torch.full((1, 3, 1, 1), -1.0)).ravel().tolist() == [83, 69, 54]
    assert STUDY.picture(torch.full((1, 3, 1, 1), 1.0)).ravel().tolist() == [214, 199, 179]


def test_a_perfect_generator_clips_what_tanh_does_not_reach() -> None:
    rgb = np.array([[[[0, 128, 255], [100, 120, 140]]]], dtype=np.uint8)

    made = STUDY.best_reachable(rgb)

    assert made.reshape(2, 3).tolist() == [[83, 128, 179], [100, 120, 140]]
    assert STUDY.unreachable_share(rgb) == pytest.approx(2 / 6)
