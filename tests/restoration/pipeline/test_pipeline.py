import hashlib
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from skimage import data

from restoration import (
    Compute,
    Input,
    LoadedModel,
    Output,
    Preset,
    Recipe,
    Stage,
    ToneKind,
    plan,
    recipe_for,
    restore,
)
from restoration.arrays.luma import luma
from restoration.derivatives import compose
from restoration.derivatives.file_metadata import srgb_profile
from restoration.generators.models import InputSpec
from restoration.masters import strips
from restoration.masters.identify import identify
from restoration.masters.metadata import own_derivative

WEIGHTS = "5" * 64

Gray = np.ndarray
Maker = Callable[..., Path]
Recipes = Callable[..., Recipe]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pillow_luma(path: Path) -> Gray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").convert("L"))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def xmp_of(path: Path) -> bytes:
    return bytes(pyvips.Image.new_from_file(str(path)).get("xmp-data"))


@pytest.mark.parametrize("fmt", ["tiff", "png"])
def test_the_luma_of_an_8_bit_derivative_is_the_master(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path, fmt: str
) -> None:
    master = picture(gray8, "a.png")
    made = restore(Input(master), recipe(fmt), Output(tmp_path / "out"), Compute(model=loaded))
    assert np.array_equal(pillow_luma(made.path), gray8)
    assert (made.luma_max_error, made.luma_mean_error, made.bit_depth) == (0, 0, 8)
    with Image.open(made.path) as image:
        red, green, blue = (np.asarray(image.getchannel(c), int) for c in "RGB")
        assert np.abs(red - blue).max() > 20
        assert np.abs(red - green).max() > 5


@pytest.mark.parametrize("fmt", ["tiff", "png"])
def test_the_luma_of_a_16_bit_derivative_is_the_master(
    tiff: Maker, gray16: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path, fmt: str
) -> None:
    made = restore(Input(tiff(gray16)), recipe(fmt), Output(tmp_path / "out"), Compute(model=loaded))
    rgb = tifffile.imread(made.path) if fmt == "tiff" else pyvips.Image.new_from_file(str(made.path)).numpy()
    assert rgb.dtype == np.uint16
    assert np.array_equal(luma(rgb), gray16)
    assert made.bit_depth == 16


def test_a_jpeg_tells_how_far_its_luma_is_off(
    tiff: Maker, gray16: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    made = restore(
        Input(tiff(gray16)), recipe("jpeg", quality=95), Output(tmp_path / "out.jpg"), Compute(model=loaded)
    )
    off = np.abs(pillow_luma(made.path).astype(int) - compose.to_8_bit(gray16))
    assert abs(made.luma_max_error - off.max()) <= 1
    assert made.luma_mean_error == pytest.approx(off.mean(), abs=0.05)
    assert 0 < made.luma_mean_error < 2
    facts = own_derivative.saek_properties(xmp_of(made.path))
    assert int(facts["lumaMaxError"]) == made.luma_max_error
    assert any("16-bit" in entry for entry in made.metadata.dropped)


def test_the_master_is_only_read(
    tiff: Maker, gray16: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    master = tiff(gray16)
    before = (sha256(master), master.stat())
    made = restore(Input(master), recipe(), Output(tmp_path / "out.tif"), Compute(model=loaded))
    after = master.stat()
    assert sha256(master) == before[0] == made.master_sha256
    assert (after.st_mtime_ns, after.st_ino) == (before[1].st_mtime_ns, before[1].st_ino)
    assert names(tmp_path) == {"master.tif", "out.tif"}


def test_the_record_tells_all(
    tiff: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    made = restore(Input(tiff(gray8)), recipe(), Output(tmp_path / "out.tif"), Compute(model=loaded))
    assert made.sha256 == sha256(made.path)
    assert made.bytes == made.path.stat().st_size
    rgb = tifffile.imread(made.path)
    assert made.pixel_sha256 == hashlib.sha256(rgb.tobytes()).hexdigest()
    assert (made.width, made.height, made.windows) == (251, 337, 3)
    assert (made.engine, made.weights, made.model) == ("test/cpu/smooth", "5" * 64, "smooth")
    assert made.recipe_fingerprint == recipe().fingerprint()
    assert set(made.seconds) == {stage.value for stage in Stage}
    assert made.software.startswith("Saek ")
    assert made.seamlessness.seam_ratio is None
    assert 0 < made.seamlessness.consistency < 0.5  # the enlargement moves color to edges
    assert json.dumps([asdict(made.tone), made.stretch, made.seconds, asdict(made.metadata)])


def test_the_same_recipe_gives_the_same_pixels(
    tiff: Maker, gray16: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    first, second = (
        restore(Input(tiff(gray16)), recipe(preset="fine"), Output(tmp_path / name), Compute(model=loaded))
        for name in ("a", "b")
    )
    assert first.pixel_sha256 == second.pixel_sha256


def test_the_height_of_the_strips_leaves_no_trace(
    tiff: Maker,
    gray16: Gray,
    recipe: Recipes,
    loaded: LoadedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = restore(Input(tiff(gray16)), recipe(), Output(tmp_path / "a"), Compute(model=loaded))
    monkeypatch.setattr(strips, "STRIP_PIXELS", 251 * 13)
    second = restore(Input(tiff(gray16)), recipe(), Output(tmp_path / "b"), Compute(model=loaded))
    assert first.pixel_sha256 == second.pixel_sha256


def test_strength_scales_the_color_and_zero_leaves_gray(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    spreads = []
    for strength in (0, 0.2, 0.4):
        made = restore(
            Input(picture(gray8, "a.png")),
            recipe("png", strength=strength),
            Output(tmp_path / f"{strength}.png"),
            Compute(model=loaded),
        )
        with Image.open(made.path) as image:
            spreads.append(float(np.ptp(np.asarray(image, int), axis=-1).mean()))
    assert spreads[0] == 0
    assert spreads[1] == pytest.approx(spreads[2] / 2, rel=0.1)


def test_warmth_makes_the_picture_warmer_and_keeps_its_luma(
    tiff: Maker, gray16: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    redness = []
    for warmth in (-1, -0.5, 0, 0.5, 1):
        made = restore(
            Input(tiff(gray16)),
            recipe(strength=0.4, warmth=warmth),
            Output(tmp_path / f"{warmth}.tif"),
            Compute(model=loaded),
        )
        pixels = tifffile.imread(made.path)
        assert np.array_equal(luma(pixels), gray16)
        redness.append(float((pixels[..., 0].astype(int) - pixels[..., 2]).mean()))
    assert redness == sorted(set(redness))


def test_warmth_tints_neither_a_gray_picture_nor_black_and_white(
    tiff: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    gray = restore(
        Input(tiff(gray8)),
        recipe(strength=0, warmth=1),
        Output(tmp_path / "gray.tif"),
        Compute(model=loaded),
    )
    assert np.ptp(tifffile.imread(gray.path), axis=-1).max() == 0
    halves = np.zeros((60, 60), np.uint8)
    halves[30:] = 255
    ends = restore(
        Input(tiff(halves)), recipe(warmth=1), Output(tmp_path / "ends.tif"), Compute(model=loaded)
    )
    assert np.ptp(tifffile.imread(ends.path), axis=-1).max() == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (40, 31), (509, 503)])
@pytest.mark.parametrize("preset", Preset)
def test_any_size_is_colored(
    tiff: Maker, recipe: Recipes, loaded: LoadedModel, tmp_path: Path, shape: tuple[int, int], preset: Preset
) -> None:
    grain = np.random.default_rng(5).integers(0, 128, shape, dtype=np.uint8)
    gray = grain + np.linspace(0, 127, shape[1]).astype(np.uint8)
    made = restore(
        Input(tiff(gray)), recipe(preset=preset), Output(tmp_path / "out.tif"), Compute(model=loaded)
    )
    assert np.array_equal(luma(tifffile.imread(made.path).reshape(*shape, 3)), gray)


def test_a_sepia_print_loses_its_tone_and_keeps_its_luma(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    g = gray8 / 255
    sepia = np.rint(255 * np.stack((g**0.8, g, g**1.4), axis=-1)).astype(np.uint8)
    made = restore(
        Input(picture(sepia, "a.png")),
        recipe("png", strength=0),
        Output(tmp_path / "o.png"),
        Compute(model=loaded),
    )
    assert made.tone.kind is ToneKind.TONED
    assert made.tone.cb < -0.02
    with Image.open(made.path) as image:
        assert np.array_equal(np.asarray(image), np.stack([luma(sepia)] * 3, axis=-1))


@pytest.mark.parametrize("fmt", ["tiff", "png", "jpeg"])
def test_the_picture_comes_out_upright_once(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path, fmt: str
) -> None:
    exif = Image.Exif()
    exif[274] = 6
    master = picture(gray8, "a.png", exif=exif, dpi=(300, 150))
    made = restore(Input(master), recipe(fmt), Output(tmp_path / "out"), Compute(model=loaded))
    assert (made.width, made.height) == (337, 251)
    with Image.open(made.path) as image:
        assert image.size == (337, 251)
        assert image.getexif().get(274, 1) == 1
    read = pyvips.Image.new_from_file(str(made.path))
    assert (read.xres * 25.4, read.yres * 25.4) == pytest.approx((150, 300), abs=0.1)
    if fmt != "jpeg":
        assert np.array_equal(pillow_luma(made.path), np.rot90(gray8, -1))
    assert "orientation 6: applied to the pixels" in made.metadata.replaced


@pytest.mark.parametrize("fmt", ["tiff", "png", "jpeg"])
def test_alpha_is_kept_where_the_format_can(
    picture: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path, fmt: str
) -> None:
    master = picture(np.dstack([gray8, 255 - gray8]), "a.png")
    made = restore(Input(master), recipe(fmt), Output(tmp_path / "out"), Compute(model=loaded))
    with Image.open(made.path) as image:
        if fmt == "jpeg":
            assert image.mode == "RGB"
            assert "alpha" in made.metadata.dropped
        else:
            assert image.mode == "RGBA"
            assert np.array_equal(np.asarray(image)[..., 3], 255 - gray8)
            assert "alpha" in made.metadata.carried


@pytest.mark.parametrize("fmt", ["tiff", "png", "jpeg"])
@pytest.mark.parametrize("depth", [8, 16])
def test_the_derivative_carries_an_rgb_profile_never_the_masters(
    tiff: Maker,
    gray8: Gray,
    gray16: Gray,
    recipe: Recipes,
    loaded: LoadedModel,
    tmp_path: Path,
    fmt: str,
    depth: int,
) -> None:
    gray_profile = b"\0" * 16 + b"GRAY" + b"\0" * 108
    master = tiff(gray8 if depth == 8 else gray16, iccprofile=gray_profile)
    made = restore(Input(master), recipe(fmt), Output(tmp_path / "out"), Compute(model=loaded))
    found = bytes(pyvips.Image.new_from_file(str(made.path)).get("icc-profile-data"))
    assert found == srgb_profile()
    with Image.open(made.path) as image:
        assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(found)))
        assert image.info["icc_profile"] == found
    assert any(entry.startswith("ICC profile") for entry in made.metadata.replaced)


@pytest.mark.parametrize("fmt", ["tiff", "png", "jpeg"])
def test_the_file_says_itself_that_its_color_is_invented(
    tiff: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path, fmt: str
) -> None:
    master = tiff(gray8, description="다리 위에서".encode(), extratags=[(315, 2, 0, "Kim", True)])
    made = restore(
        Input(master), recipe(fmt), Output(tmp_path / "out", tags={"job": "42"}), Compute(model=loaded)
    )
    content = xmp_of(made.path)
    assert b"compositeWithTrainedAlgorithmicMedia" in content
    assert "다리 위에서".encode() in content
    assert b"Kim" in content
    facts = own_derivative.saek_properties(content)
    assert facts["job"] == "42"
    assert facts["masterSha256"] == made.master_sha256 == sha256(master)
    with Image.open(made.path) as image:
        assert image.info["xmp"].strip(b"\0") == content.strip(b"\0")
        exif = image.getexif()
        assert exif[315] == "Kim"
        assert "inferred by AI" in str(exif[270])


def test_a_tiff_says_it_in_plain_tags_too(
    tiff: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    made = restore(
        Input(tiff(gray8, resolution=(600, 600), resolutionunit="INCH")),
        recipe(),
        Output(tmp_path / "o.tif"),
        Compute(model=loaded),
    )
    with tifffile.TiffFile(made.path) as file:
        tags = file.pages.first.tags
        assert "inferred by AI" in tags["ImageDescription"].value
        assert tags["Software"].value == made.software
        assert tags["XResolution"].value == (600, 1)
        assert int(tags["Compression"].value) == 8


def test_the_shipped_model_colors_a_photograph(picture: Maker, tmp_path: Path) -> None:
    master = picture(data.camera(), "a.png")
    recipe = recipe_for(preset=Preset.FAST)
    made = restore(Input(master), recipe, Output(tmp_path / "o.tif"), Compute(device="cpu"))
    assert np.array_equal(pillow_luma(made.path), data.camera())
    rgb = tifffile.imread(made.path).astype(int)
    assert np.ptp(rgb, axis=-1).mean() > 2
    assert made.engine.startswith("openvino/cpu")
    again = restore(Input(master), recipe, Output(tmp_path / "p.tif"), Compute(device="cpu"))
    assert again.pixel_sha256 == made.pixel_sha256


def test_a_plan_counts_what_the_restoration_then_does(picture: Maker, tmp_path: Path) -> None:
    master = picture(data.camera(), "a.png")
    facts = identify(master)
    recipe = recipe_for(preset=Preset.BALANCED)
    expected = plan(facts, recipe)
    made = restore(Input(master), recipe, Output(tmp_path / "o.tif"), Compute(device="cpu"))
    assert (made.windows, facts.pixels) == (expected.windows, expected.pixels)
    assert made.bytes < expected.bytes_estimate * 1.1
    assert plan(facts, replace(recipe, format="jpeg")).bytes_estimate < expected.bytes_estimate


class SmoothChroma:
    """A real, deterministic function from gray to chroma, as the fixture `engine` is."""

    name = "test/cpu/smooth"

    def predict(self, gray: Gray) -> Gray:
        return np.stack((0.35 * (0.5 - gray), 0.3 * (gray - 0.4)), axis=1).astype(np.float32)


SHAPES = st.one_of(
    st.tuples(st.sampled_from([1, 2, 37, 97, 251]), st.sampled_from([1, 3, 41, 211])),
    st.integers(1, 20).map(lambda n: (n, 20 * n)),
)


@settings(max_examples=25, deadline=None)
@given(
    shape=SHAPES,
    depth=st.sampled_from([np.uint8, np.uint16]),
    mode=st.sampled_from(["gray", "gray-alpha", "toned", "inverted"]),
    orientation=st.sampled_from([1, 3, 6]),
    fmt=st.sampled_from(["tiff", "png", "pyramid"]),
    strip=st.integers(1, 40),
    threads=st.integers(1, 3),
    seed=st.integers(0, 5),
)
def test_any_strip_height_gives_the_same_bytes(
    shape: tuple[int, int],
    depth: type,
    mode: str,
    orientation: int,
    fmt: str,
    strip: int,
    threads: int,
    seed: int,
) -> None:
    top = np.iinfo(depth).max
    grain = np.random.default_rng(seed).integers(0, top // 2 + 1, shape)
    gray = (grain + np.linspace(0, top // 2, shape[1]).astype(int)).astype(depth)
    samples, facts = gray, {"photometric": "minisblack"}
    if mode == "gray-alpha":
        samples, facts["extrasamples"] = np.dstack([gray, gray[::-1]]), ["unassalpha"]
    elif mode == "toned":
        samples, facts = np.dstack([gray, gray - gray // 255, gray - gray // 200]), {"photometric": "rgb"}
    elif mode == "inverted":
        facts["photometric"] = "miniswhite"
    model = LoadedModel(SmoothChroma(), InputSpec(256, 32), WEIGHTS)
    recipe = Recipe(
        "smooth", WEIGHTS, "fast", format="tiff" if fmt == "pyramid" else fmt, pyramid=fmt == "pyramid"
    )
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        tag = [(274, 3, 1, orientation, True)]
        tifffile.imwrite(
            folder / "a.tif", samples, metadata=None, planarconfig="contig", extratags=tag, **facts
        )
        found = []
        for rows, lanes in ((10**6, 1), (strip, threads)):
            patch.setattr(strips, "STRIP_PIXELS", rows * shape[0 if orientation == 6 else 1])
            out = folder / f"{rows}-{lanes}"
            found.append(
                restore(Input(folder / "a.tif"), recipe, Output(out), Compute(threads=lanes, model=model))
            )
        assert found[0].pixel_sha256 == found[1].pixel_sha256
        truth = luma(samples) if mode == "toned" else top - gray if mode == "inverted" else gray
        image = pyvips.Image.new_from_file(str(found[1].path), fail_on="warning").numpy()
        upright = {1: truth, 3: truth[::-1, ::-1], 6: np.rot90(truth, -1)}[orientation]
        assert np.array_equal(luma(image[..., :3]), upright)


def test_the_record_tells_how_seamless_the_windows_are(
    tiff: Maker, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    rows, columns = np.mgrid[0:1021, 0:1301]
    waves = (32000 + 15000 * np.sin(rows / 150) * np.cos(columns / 170)).astype(np.uint16)
    made = restore(
        Input(tiff(waves)), recipe(preset=Preset.NATIVE), Output(tmp_path / "out.tif"), Compute(model=loaded)
    )
    assert made.seamlessness.seam_ratio == pytest.approx(1, abs=0.05)
    assert made.seamlessness.consistency < 0.5
