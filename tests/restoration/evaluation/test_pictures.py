"""Listing and decoding of the pictures to evaluate."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from restoration.arrays import luma
from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.pictures import (
    Fingerprint,
    Half,
    ReferencePicture,
    list_pictures,
    reference_pictures,
    require_color,
)


def test_the_halves_make_up_the_held_out_pictures(gallery: Path) -> None:
    validation, test, both = (
        set(list_pictures(gallery, half).entries) for half in (Half.VALIDATION, Half.TEST, Half.ALL)
    )

    assert validation.isdisjoint(test)
    assert validation | test == both
    assert {name for name, _ in test} == {"documerica", "places"}
    assert len(both) == 5


def test_without_a_manifest_all_pictures_are_taken(
    album: Path,
) -> None:
    listing = list_pictures(album, Half.TEST)

    assert len(listing.entries) == 60
    assert (listing.half, listing.held_out) == (Half.ALL, False)


def test_large_pictures_are_reduced_and_small_ones_kept(gallery: Path) -> None:
    listing = list_pictures(gallery, Half.TEST)

    small = [one for one in reference_pictures(listing, 100) if isinstance(one, ReferencePicture)]
    whole = [one for one in reference_pictures(listing, 256) if isinstance(one, ReferencePicture)]

    assert {one.rgb.shape for one in small} == {(100, 80, 3)}
    assert {one.rgb.shape for one in whole} == {(200, 160, 3)}
    assert all((one.gray == luma.luma(one.rgb)).all() for one in small)


def test_a_gray_picture_is_named_and_left_out(gallery: Path) -> None:
    found = list(reference_pictures(list_pictures(gallery, Half.ALL), 64))

    assert [one for one in found if isinstance(one, str)] == ["eval/places/gray.png"]


def test_a_folder_of_gray_pictures_says_that_there_is_no_truth(tmp_path: Path) -> None:
    Image.fromarray(data.camera()).save(tmp_path / "gray.png")
    listing = list_pictures(tmp_path, Half.TEST)

    assert list(reference_pictures(listing, 64)) == ["gray.png"]
    with pytest.raises(EvaluationError, match="none of the 1 pictures has color"):
        require_color(0, listing)


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no pictures to measure"):
        list_pictures(tmp_path, Half.TEST)


def test_another_pixel_is_another_fingerprint() -> None:
    prints = []
    for value in (0, 0, 1):
        fingerprint = Fingerprint()
        rgb = np.full((2, 2, 3), value, np.uint8)
        fingerprint.add(ReferencePicture("a", "b", rgb, luma.luma(rgb)))
        prints.append(fingerprint.hex())

    assert prints[0] == prints[1] != prints[2]
