"""Transparency of a master: kept as it is stored where the derivative can declare it, and told otherwise."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from restoration import Compute, Input, LoadedModel, Output, Recipe, restore

Gray = np.ndarray
Recipes = Callable[..., Recipe]
WEIGHTS = (0.299, 0.587, 0.114)


@pytest.fixture(scope="session")
def alpha(gray8: Gray) -> Gray:
    """Opaque above, fading to a quarter below."""
    rows = np.linspace(0, 1, gray8.shape[0])
    return np.broadcast_to(np.rint(255 * np.clip(1.5 - 1.25 * rows, 0.25, 1))[:, None], gray8.shape).astype(
        np.uint8
    )


def multiplied(gray: Gray, alpha: Gray) -> Gray:
    return np.rint(gray.astype(np.float64) * alpha / 255).astype(np.uint8)


@pytest.fixture
def master(tmp_path: Path) -> Callable[..., Path]:
    def make(gray: Gray, alpha: Gray, kind: str, **facts: object) -> Path:
        path = tmp_path / f"{kind}.tif"
        samples = np.stack([gray, alpha], axis=-1)
        tifffile.imwrite(path, samples, photometric="minisblack", extrasamples=[kind], metadata=None, **facts)
        return path

    return make


@pytest.mark.parametrize("compression", [None, "lzw", "zstd"])
@pytest.mark.parametrize("pyramid", [False, True])
def test_associated_alpha_stays_and_is_declared(
    master: Callable[..., Path],
    gray8: Gray,
    alpha: Gray,
    recipe: Recipes,
    loaded: LoadedModel,
    tmp_path: Path,
    compression: str | None,
    pyramid: bool,
) -> None:
    stored = multiplied(gray8, alpha)
    path = master(stored, alpha, "assocalpha", compression=compression)
    done = restore(Input(path), recipe(pyramid=pyramid), Output(tmp_path / "out.tif"), Compute(model=loaded))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        page = file.pages.first
        assert [int(kind) for kind in page.extrasamples] == [1]
        made = page.asarray()
    assert np.array_equal(np.asarray(Image.fromarray(made[..., :3]).convert("L")), stored)
    assert np.array_equal(made[..., 3], alpha)
    assert "associated alpha" in done.metadata.carried


def test_associated_and_unassociated_alpha_have_the_same_color(
    master: Callable[..., Path],
    gray8: Gray,
    alpha: Gray,
    recipe: Recipes,
    loaded: LoadedModel,
    tmp_path: Path,
) -> None:
    plain = master(gray8, alpha, "unassalpha")
    times = master(multiplied(gray8, alpha), alpha, "assocalpha")
    shown = []
    for path in (plain, times):
        restore(Input(path), recipe(), Output(tmp_path / f"{path.stem}-out.tif"), Compute(model=loaded))
        made = tifffile.imread(tmp_path / f"{path.stem}-out.tif").astype(np.float64)
        opacity = made[..., 3:] / 255 if path == times else 1.0
        shown.append(made[..., :3] / opacity)
    chroma = [rgb - (rgb @ WEIGHTS)[..., None] for rgb in shown]
    assert np.abs(chroma[0]).mean() > 5
    assert np.abs(chroma[0] - chroma[1]).mean() < 1.5


@pytest.mark.parametrize(("fmt", "ending"), [("png", "png"), ("jpeg", "jpg")])
def test_formats_without_associated_alpha_drop_and_report_it(
    master: Callable[..., Path],
    gray8: Gray,
    alpha: Gray,
    recipe: Recipes,
    loaded: LoadedModel,
    tmp_path: Path,
    fmt: str,
    ending: str,
) -> None:
    stored = multiplied(gray8, alpha)
    out = tmp_path / f"out.{ending}"
    done = restore(
        Input(master(stored, alpha, "assocalpha")), recipe(fmt), Output(out), Compute(model=loaded)
    )
    with Image.open(out) as made:
        assert made.mode == "RGB"
        if fmt == "png":
            assert np.array_equal(np.asarray(made.convert("L")), stored)
    assert any(name.startswith("associated alpha") for name in done.metadata.dropped)


def test_a_channel_of_no_kind_is_dropped_and_told(
    master: Callable[..., Path],
    gray8: Gray,
    alpha: Gray,
    recipe: Recipes,
    loaded: LoadedModel,
    tmp_path: Path,
) -> None:
    done = restore(
        Input(master(gray8, alpha, "unspecified")),
        recipe(),
        Output(tmp_path / "out.tif"),
        Compute(model=loaded),
    )
    assert tifffile.imread(tmp_path / "out.tif").shape[-1] == 3
    assert any("unspecified meaning" in note for note in done.metadata.noted)
