from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from restoration import Compute, Input, LoadedModel, Output, Recipe, identify, restore
from restoration.arrays.luma import luma
from restoration.derivatives.compose import ComposedStrip, ImageSpec
from restoration.derivatives.pyramid import TILE_SIDE, level_sizes, pyramid_tiles
from restoration.derivatives.tiff import CLASSIC_BYTES, needs_bigtiff

Gray = np.ndarray
Maker = Callable[..., Path]
Recipes = Callable[..., Recipe]


def halved(samples: Gray) -> Gray:
    """Average two by two, the plain way."""
    height, width = (max(1, n // 2) for n in samples.shape[:2])
    padded = np.pad(samples, ((0, 1), (0, 1), (0, 0)), mode="edge").astype(int)
    return np.array(
        [
            [(padded[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].sum(axis=(0, 1)) + 2) // 4 for x in range(width)]
            for y in range(height)
        ],
        samples.dtype,
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 600), st.integers(1, 600), st.integers(1, 300))
def test_the_tiles_of_each_level_make_up_its_picture(height: int, width: int, step: int) -> None:
    samples = np.random.default_rng(1).integers(0, 256, (height, width, 3)).astype(np.uint8)
    rows = (ComposedStrip(y, samples[y : y + step]) for y in range(0, height, step))
    made = list(pyramid_tiles(rows, ImageSpec(width, height, 3, 8)))
    expected = samples
    for level, (w, h) in enumerate(level_sizes(width, height)):
        expected = halved(expected) if level else expected
        assert expected.shape == (h, w, 3)
        tiles = iter([piece for piece in made if piece.level == level])
        for top in range(0, h, TILE_SIDE):
            for left in range(0, w, TILE_SIDE):
                tile, part = next(tiles), expected[top : top + TILE_SIDE, left : left + TILE_SIDE]
                assert np.array_equal(tile.samples[: part.shape[0], : part.shape[1]], part)
                assert tile.samples.shape == (TILE_SIDE, TILE_SIDE, 3)
        assert next(tiles, None) is None


@pytest.mark.parametrize("depth", [8, 16])
def test_all_readers_see_the_same_pixels_in_a_pyramid(
    tiff: Maker, gray8: Gray, gray16: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path, depth: int
) -> None:
    gray = np.tile(gray8 if depth == 8 else gray16, (2, 3))
    master = tiff(gray, resolution=(600, 600), resolutionunit="INCH")
    plain = restore(Input(master), recipe(), Output(tmp_path / "plain.tif"), Compute(model=loaded))
    made = restore(
        Input(master), recipe(pyramid=True), Output(tmp_path / "pyramid.tif"), Compute(model=loaded)
    )
    assert made.pixel_sha256 == plain.pixel_sha256
    assert made.recipe_fingerprint != plain.recipe_fingerprint
    rgb = tifffile.imread(plain.path)
    assert np.array_equal(luma(rgb), gray)
    with tifffile.TiffFile(made.path) as file:
        assert [page.shape for page in file.pages] == [(674, 753, 3), (337, 376, 3), (168, 188, 3)]
        assert all(page.is_tiled and page.tile == (256, 256) for page in file.pages)
        assert [int(page.subfiletype) for page in file.pages] == [0, 1, 1]
        assert np.array_equal(file.pages[0].asarray(), rgb)
        assert np.array_equal(file.pages[1].asarray(), halved(rgb))
        assert np.array_equal(file.pages[2].asarray(), halved(halved(rgb)))
    seen = pyvips.Image.new_from_file(str(made.path), fail_on="warning")
    assert np.array_equal(seen.numpy(), rgb)
    second = pyvips.Image.tiffload(str(made.path), page=1, fail_on="warning")
    assert np.array_equal(second.numpy(), halved(rgb))
    if depth == 8:
        with Image.open(made.path) as image:
            assert np.array_equal(np.asarray(image), rgb)
    facts = identify(made.path)
    assert (facts.width, facts.height, facts.pages) == (753, 674, 1)
    assert facts.dpi == pytest.approx((600, 600))
    assert {p.name for p in tmp_path.iterdir()} == {"master.tif", "plain.tif", "pyramid.tif"}


def test_a_pyramid_leaves_png_and_jpeg_as_they_are(
    tiff: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    for fmt in ("png", "jpeg"):
        one, other = (
            restore(
                Input(tiff(gray8)),
                recipe(fmt, pyramid=flag),
                Output(tmp_path / f"{fmt}-{flag}"),
                Compute(model=loaded),
            )
            for flag in (False, True)
        )
        assert one.pixel_sha256 == other.pixel_sha256
        assert one.recipe_fingerprint == other.recipe_fingerprint


def test_bigtiff_is_used_above_4_gigabytes_of_samples() -> None:
    side = 25_820
    assert 6 * side**2 > CLASSIC_BYTES > 6 * (side - 1) ** 2
    assert needs_bigtiff(ImageSpec(side, side, 3, 16), pyramid=False)
    assert not needs_bigtiff(ImageSpec(side - 1, side - 1, 3, 16), pyramid=False)
    assert not needs_bigtiff(ImageSpec(31_000, 31_000, 3, 8), pyramid=False)
    assert not needs_bigtiff(ImageSpec(22_300, 22_300, 3, 16), pyramid=True)
    assert needs_bigtiff(ImageSpec(22_400, 22_400, 3, 16), pyramid=True)
    assert 4 / 3 * 6 * 22_400**2 > CLASSIC_BYTES > 4 / 3 * 6 * 22_300**2
