"""LittleCMS shows master and derivative alike on the neutral axis, whatever the tone curve of the master."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from icc_profiles import (
    ADOBE,
    PROPHOTO,
    curve_in,
    described,
    gray_icc,
    icc,
    parametric,
    power,
    rgb_icc,
    s15f16,
    sampled,
    translated,
)
from PIL import Image, ImageCms
from skimage.color import deltaE_ciede2000, rgb2lab

from restoration import Compute, Input, LoadedModel, Output, Recipe, restore
from restoration.arrays.luma import luma
from restoration.derivatives.file_metadata import srgb_profile
from restoration.masters import tone_profile
from restoration.masters.facts import Limits
from restoration.masters.identify import identify
from restoration.masters.sandbox import shared_reader

Maker = Callable[..., Path]
Recipes = Callable[..., Recipe]
Gray = np.ndarray

LAB = ImageCms.createProfile("LAB")
STEP = 100 / 255
"""L* of one step of Pillow's 8-bit LAB."""


def dot_gain(values: Gray) -> Gray:
    """Reflectance of a halftone whose dots grow by 20 % at half tone (Murray-Davies, paper 1, ink 0.02)."""
    ink = 1 - values
    printed = ink + 0.2 * 4 * ink * (1 - ink)
    return (1 - printed) + 0.02 * printed


def star_curve(values: Gray) -> Gray:
    star = 100 * values
    return np.where(star > 8, ((star + 16) / 116) ** 3, star / 903.2963)


S_GRAY = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
IDENTITY_LUT = (
    b"mft2\0\0\0\0"
    + bytes((1, 3, 2, 0))
    + s15f16(1, 0, 0, 0, 1, 0, 0, 0, 1)
    + struct.pack(">HH", 2, 2)
    + struct.pack(">2H", 0, 65535)
    + struct.pack(">6H", 0, 32768, 32768, 65280, 32768, 32768)
    + struct.pack(">6H", *(0, 65535) * 3)
)
"""From gray to Lab (the 16-bit encoding of version 2): L* is the sample itself."""

GRAYS = {
    "linear": gray_icc(power(1.0)),
    "gamma 1.8": gray_icc(power(1.8)),
    "gamma 2.2": gray_icc(power(2.2)),
    "gamma 0.6": gray_icc(power(0.6)),
    "identity": gray_icc(b"curv\0\0\0\0" + bytes(4)),
    "dot gain": gray_icc(sampled(dot_gain(np.linspace(0, 1, 256)))),
    "L* curve": gray_icc(sampled(star_curve(np.linspace(0, 1, 1024)))),
    "sGray": gray_icc(S_GRAY, version=4, name=translated("sGray 회색")),
    "gamma 1.8 on paper": gray_icc(power(1.8), white=(0.86, 0.9, 0.66)),
    "linear over Lab": gray_icc(power(1.0), connection="Lab"),
    "gamma 1.5 over Lab": gray_icc(power(1.5), connection="Lab"),
    "table": icc({"A2B0": IDENTITY_LUT}, connection="Lab"),
    "parametric 0": gray_icc(parametric(0, 2.0), version=4),
    "parametric 1": gray_icc(parametric(1, 2.0, 0.9, 0.1), version=4),
    "parametric 2": gray_icc(parametric(2, 2.0, 0.85, 0.05, 0.1), version=4),
    "parametric 4": gray_icc(parametric(4, 2.2, 0.95, 0.05, 0.1, 0.1, 0.0, 0.0), version=4),
}
CUBE = (
    b"mft2\0\0\0\0"
    + bytes((3, 3, 2, 0))
    + s15f16(1, 0, 0, 0, 1, 0, 0, 0, 1)
    + struct.pack(">HH", 2, 2)
    + struct.pack(">6H", *(0, 65535) * 3)
    + b"".join(
        struct.pack(">3H", (r + g + b) * 65280 // 3, 32768, 32768)
        for r in (0, 1)
        for g in (0, 1)
        for b in (0, 1)
    )
    + struct.pack(">6H", *(0, 65535) * 3)
)
"""From RGB to Lab: L* is the mean of the samples."""

COLORS = {
    "RGB by a table": icc({"A2B0": CUBE}, space="RGB", connection="Lab"),
    "Adobe RGB": rgb_icc(power(563 / 256), ADOBE),
    "ProPhoto": rgb_icc(power(1.8), PROPHOTO),
    "linear RGB": rgb_icc(power(1.0), PROPHOTO),
}


def star(samples: Gray, profile: bytes, intent: int = 1) -> Gray:
    """L* that LittleCMS shows of 8-bit samples (H, W) or (H, W, 3) under a profile."""
    mode = "L" if samples.ndim == 2 else "RGB"
    shown = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        LAB,
        mode,
        "LAB",
        ImageCms.Intent(intent),
        ImageCms.Flags.NOOPTIMIZE,  # it would bend the ends of a curve: 38 L* off where black is not 0
    )
    return np.asarray(ImageCms.applyTransform(Image.fromarray(samples), shown))[..., 0] * STEP


def star_of(light: Gray) -> Gray:
    """CIE L* of relative luminance."""
    return np.where(light > 0.008856, 116 * np.cbrt(light) - 16, 903.2963 * light)


def linear(values: Gray) -> Gray:
    """Luminance of sRGB values (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_of(light: Gray) -> Gray:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def read_back(path: Path) -> tuple[Gray, bytes]:
    """Return samples and profile of a file."""
    image = pyvips.Image.new_from_file(str(path))
    return image.numpy(), bytes(image.get("icc-profile-data"))


def ramp(bits: int) -> Gray:
    """Every gray of 8 bits, in 64 rows."""
    values = np.broadcast_to(np.arange(256), (64, 256))
    return values.astype(np.uint8) if bits == 8 else (values * 257).astype(np.uint16)


def written(folder: Path, samples: Gray, kind: str, profile: bytes) -> Path:
    path = folder / f"master.{kind}"
    if kind == "tif":
        tifffile.imwrite(path, samples, iccprofile=profile, photometric="rgb" if samples.ndim == 3 else None)
    else:
        interpretation = {("uint8", 2): "b-w", ("uint16", 2): "grey16", ("uint8", 3): "srgb"}
        image = pyvips.Image.new_from_array(
            samples, interpretation=interpretation[str(samples.dtype), samples.ndim]
        ).copy()
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
        image.write_to_file(str(path), **({"Q": 100} if kind == "jpg" else {}))
    return path


def with_chunks(folder: Path, samples: Gray, *chunks: tuple[bytes, bytes]) -> Path:
    """Write a gray PNG with further chunks before its data."""
    path = folder / "master.png"
    Image.fromarray(samples).save(path)
    whole = path.read_bytes()
    extra = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    path.write_bytes(whole[:33] + extra + whole[33:])
    return path


def as_8_bit(samples: Gray) -> Gray:
    return samples if samples.dtype == np.uint8 else (samples // 257).astype(np.uint8)


@pytest.mark.parametrize("intent", [0, 1], ids=["perceptual", "relative"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", GRAYS)
def test_grays_are_shown_as_light_as_in_the_master(
    name: str, bits: int, intent: int, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    master = written(tmp_path, ramp(bits), "tif", GRAYS[name])
    made = restore(Input(master), recipe(strength=0), Output(tmp_path / "out.tif"), Compute(model=loaded))
    rgb, profile = read_back(made.path)
    assert np.array_equal(rgb, np.stack([ramp(bits)] * 3, axis=-1))
    wanted = star(ramp(8), GRAYS[name], intent)
    assert np.abs(star(as_8_bit(rgb), profile, intent) - wanted).max() < 0.5


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", COLORS)
def test_rgb_scans_of_gray_are_shown_as_in_the_master(
    name: str, bits: int, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    samples = np.stack([ramp(bits)] * 3, axis=-1)
    master = written(tmp_path, samples, "tif", COLORS[name])
    made = restore(Input(master), recipe(strength=0), Output(tmp_path / "out.tif"), Compute(model=loaded))
    rgb, profile = read_back(made.path)
    assert np.array_equal(rgb, samples)
    wanted = star(np.stack([ramp(8)] * 3, axis=-1), COLORS[name])
    assert np.abs(star(as_8_bit(rgb), profile) - wanted).max() < 0.5


@pytest.mark.parametrize(("kind", "bits"), [("tif", 8), ("tif", 16), ("png", 8), ("png", 16), ("jpg", 8)])
@pytest.mark.parametrize("fmt", ["tiff", "png", "jpeg"])
def test_every_format_gives_and_takes_the_curve(
    kind: str, fmt: str, bits: int, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    profile = GRAYS["dot gain"]
    master = written(tmp_path, ramp(bits), kind, profile)
    made = restore(Input(master), recipe(fmt, strength=0), Output(tmp_path / "out"), Compute(model=loaded))
    _, own = read_back(made.path)
    wanted = star(ramp(8), profile)
    assert np.abs(star(np.stack([ramp(8)] * 3, axis=-1), own) - wanted).max() < 0.5
    assert [line for line in made.metadata.replaced if "ICC profile 'a curve'" in line]


@pytest.mark.parametrize("gamma", [1.0, 0.5, 0.55, 0.45455, 1.5])
def test_the_gamma_of_a_png_is_its_curve(
    gamma: float, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    master = with_chunks(tmp_path, ramp(16), (b"gAMA", struct.pack(">I", round(gamma * 100_000))))
    made = restore(Input(master), recipe(strength=0), Output(tmp_path / "out.tif"), Compute(model=loaded))
    _, profile = read_back(made.path)
    wanted = star_of(np.linspace(0, 1, 65536) ** (1 / gamma))
    assert np.abs(star_of(curve_in(profile)) - wanted).max() < 0.2
    assert made.metadata.replaced == (f"PNG gamma {gamma:g}: an RGB profile with its tone curve",)


@pytest.mark.parametrize(
    "chunks", [[(b"gAMA", 100_000), (b"sRGB", None)], [(b"sRGB", None), (b"gAMA", 100_000)]]
)
def test_the_chunk_srgb_holds_before_gamma(
    chunks: list[tuple[bytes, int | None]], recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    contents = [(kind, b"\0" if value is None else struct.pack(">I", value)) for kind, value in chunks]
    made = restore(
        Input(with_chunks(tmp_path, ramp(8), *contents)),
        recipe(strength=0),
        Output(tmp_path / "out.tif"),
        Compute(model=loaded),
    )
    assert read_back(made.path)[1] == srgb_profile()
    assert not made.metadata.replaced


def test_an_icc_profile_holds_before_gamma(recipe: Recipes, loaded: LoadedModel, tmp_path: Path) -> None:
    content = b"own\0\0" + zlib.compress(GRAYS["gamma 1.8"])
    master = with_chunks(tmp_path, ramp(8), (b"gAMA", struct.pack(">I", 100_000)), (b"iCCP", content))
    made = restore(Input(master), recipe(strength=0), Output(tmp_path / "out.tif"), Compute(model=loaded))
    assert (
        np.abs(star_of(curve_in(read_back(made.path)[1])) - star_of(np.linspace(0, 1, 65536) ** 1.8)).max()
        < 0.2
    )


@pytest.mark.parametrize("name", ["sGray", None])
def test_curves_like_that_of_srgb_get_srgb(
    name: str | None, gray8: Gray, tiff: Maker, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    profile = GRAYS[name] if name else ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tagged = restore(
        Input(tiff(gray8, "b.tif", iccprofile=profile)),
        recipe(),
        Output(tmp_path / "b.out"),
        Compute(model=loaded),
    )
    plain = restore(Input(tiff(gray8, "a.tif")), recipe(), Output(tmp_path / "a.out"), Compute(model=loaded))
    assert read_back(tagged.path)[1] == srgb_profile()
    assert tagged.pixel_sha256 == plain.pixel_sha256


DAMAGED = {
    "nothing but a name": b"\0" * 16 + b"GRAY" + b"\0" * 108,
    "cut off": GRAYS["dot gain"][:300],
    "no curve": icc({}),
    "falling": gray_icc(sampled(np.linspace(1, 0, 64))),
    "flat": gray_icc(sampled(np.full(64, 0.5))),
    "for CMYK": icc({"kTRC": power(1.0)}, space="CMYK"),
    "unknown curve": gray_icc(b"xxxx" + bytes(20)),
    "endless curve": gray_icc(b"curv\0\0\0\0" + struct.pack(">I", 2**31) + bytes(8)),
    "no number": gray_icc(parametric(0, -30000.0), version=4),
    "endless tags": GRAYS["linear"][:128] + struct.pack(">I", 2**32 - 1) + GRAYS["linear"][132:],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_profiles_of_no_use_are_told_and_srgb_is_meant(
    name: str, gray8: Gray, tiff: Maker, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    tagged = tiff(gray8, "b.tif", iccprofile=DAMAGED[name])
    made = restore(Input(tagged), recipe(), Output(tmp_path / "b.out"), Compute(model=loaded))
    plain = restore(Input(tiff(gray8, "a.tif")), recipe(), Output(tmp_path / "a.out"), Compute(model=loaded))
    assert made.pixel_sha256 == plain.pixel_sha256
    assert read_back(made.path)[1] == srgb_profile()
    assert [line for line in made.metadata.noted if "shown as sRGB" in line]
    assert [line for line in made.metadata.replaced if line.startswith("ICC profile") and "sRGB" in line]


def test_a_profile_for_rgb_on_gray_is_told(
    tiff: Maker, gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    made = restore(
        Input(tiff(gray8, iccprofile=COLORS["ProPhoto"])),
        recipe(),
        Output(tmp_path / "o.tif"),
        Compute(model=loaded),
    )
    assert (
        np.abs(star_of(curve_in(read_back(made.path)[1])) - star_of(np.linspace(0, 1, 65536) ** 1.8)).max()
        < 0.2
    )
    assert made.metadata.noted == (
        "The ICC profile 'a curve' is for RGB, the picture is gray: only its tone curve counts",
    )


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.6])
def test_the_shown_color_is_that_of_the_same_picture_in_srgb(
    gamma: float, gray16: Gray, tiff: Maker, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    light = linear(gray16 / 65535)
    other = np.rint(light ** (1 / gamma) * 65535).astype(np.uint16)
    plain = restore(Input(tiff(gray16, "a.tif")), recipe(), Output(tmp_path / "a.out"), Compute(model=loaded))
    tagged = restore(
        Input(tiff(other, "b.tif", iccprofile=gray_icc(power(gamma)))),
        recipe(),
        Output(tmp_path / "b.out"),
        Compute(model=loaded),
    )
    rgb, _ = read_back(tagged.path)
    assert np.array_equal(luma(rgb), other)
    wanted = rgb2lab(read_back(plain.path)[0] / 65535)
    shown = rgb2lab(srgb_of((rgb / 65535) ** (round(gamma * 256) / 256)))
    # Luma is taken of samples: where they are linear a saturated color comes out darker. Only L* may differ.
    assert deltaE_ciede2000(wanted, shown).mean() < 2
    assert np.abs(wanted[..., 1:]).mean() > 15
    assert np.abs(shown - wanted)[..., 1:].mean() < 1


def test_alpha_orientation_and_pyramid_go_with_a_curve(
    gray16: Gray, tiff: Maker, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    samples = np.stack((gray16, 65535 - gray16), axis=-1)
    master = tiff(
        samples,
        photometric="minisblack",
        planarconfig="contig",
        extrasamples=["unassalpha"],
        extratags=[(274, 3, 1, 6, True)],
        iccprofile=GRAYS["linear"],
    )
    made = restore(Input(master), recipe(pyramid=True), Output(tmp_path / "out.tif"), Compute(model=loaded))
    rgba = tifffile.imread(made.path)
    assert np.array_equal(luma(rgba[..., :3]), np.rot90(gray16, -1))
    assert np.array_equal(rgba[..., 3], 65535 - np.rot90(gray16, -1))
    with tifffile.TiffFile(made.path) as file:
        profile = file.pages.first.tags.valueof(34675)
    assert np.array_equal(curve_in(profile), np.linspace(0, 1, 65536))


def test_a_webp_keeps_its_curve(gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path) -> None:
    rgb = Image.fromarray(np.stack([gray8] * 3, axis=-1))
    rgb.save(tmp_path / "a.webp", lossless=True, icc_profile=COLORS["ProPhoto"])
    made = restore(Input(tmp_path / "a.webp"), recipe(), Output(tmp_path / "out.tif"), Compute(model=loaded))
    samples, profile = read_back(made.path)
    assert np.array_equal(luma(samples), gray8)
    assert np.abs(curve_in(profile) - np.linspace(0, 1, 65536) ** (round(1.8 * 256) / 256)).max() < 1e-4


def test_the_name_of_a_profile_is_told_on_one_line(
    gray8: Gray, tiff: Maker, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    for i, name in enumerate((described("Dot\x1b[31m Gain\n20%"), translated("도트\n게인"))):
        profile = gray_icc(power(1.0), name=name)
        made = restore(
            Input(tiff(gray8, f"{i}.tif", iccprofile=profile)),
            recipe(),
            Output(tmp_path / f"{i}.out"),
            Compute(model=loaded),
        )
        (line,) = made.metadata.replaced
        assert line.isprintable()
        assert ("Gain 20%" in line, "도트 게인" in line) == (i == 0, i == 1)
        _, own = read_back(made.path)
        told = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(own)))
        assert "Saek RGB, tone curve of its master" in told


def test_jpegs_of_large_profiles_keep_their_curve(
    gray8: Gray, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    curve = sampled(dot_gain(np.linspace(0, 1, 20_000)))
    profile = icc({"kTRC": curve, "priv": b"data" + bytes(100_000)})  # several APP2 segments
    Image.fromarray(gray8).save(tmp_path / "a.jpg", icc_profile=profile)
    made = restore(
        Input(tmp_path / "a.jpg"), recipe("jpeg"), Output(tmp_path / "out.jpg"), Compute(model=loaded)
    )
    wanted = star(ramp(8), profile)
    assert np.abs(star(np.stack([ramp(8)] * 3, axis=-1), read_back(made.path)[1]) - wanted).max() < 0.5


def test_the_network_sees_what_is_shown(gray16: Gray, tiff: Maker, tmp_path: Path) -> None:
    samples = np.rint(linear(gray16 / 65535) * 65535).astype(np.uint16)
    seen = shared_reader().overview(tiff(samples, iccprofile=GRAYS["linear"]), Limits(), 1000, tmp_path)
    assert np.abs(seen.planes[0] - gray16 / 65535).max() < 2e-3


def test_profiles_that_no_reader_gives_are_told(
    gray8: Gray, picture: Maker, tiff: Maker, recipe: Recipes, loaded: LoadedModel, tmp_path: Path
) -> None:
    whole = picture(gray8, "a.png", icc_profile=GRAYS["dot gain"]).read_bytes()
    at = whole.index(b"iCCP") + 30
    (tmp_path / "a.png").write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
    for master in (tmp_path / "a.png", picture(gray8, "b.png", icc_profile=COLORS["ProPhoto"])):
        made = restore(
            Input(master), recipe(), Output(tmp_path / f"{master.stem}.out"), Compute(model=loaded)
        )
        assert read_back(made.path)[1] == srgb_profile()
        assert [line for line in made.metadata.noted if line.startswith("The ICC profile cannot be read")]


@pytest.mark.parametrize("big", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_profile_beyond_the_end_of_a_tiff_is_told(gray8: Gray, tiff: Maker, big: bool, order: str) -> None:
    path = tiff(gray8, bigtiff=big, byteorder=order, iccprofile=GRAYS["dot gain"])
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        entry = file.pages.first.tags[34675].offset
    assert tone_profile.read_tone_profile(path, identify(path)).curve is not None
    width = 8 if big else 4
    start = entry + 4 + width
    data[start : start + width] = struct.pack(order + ("Q" if big else "I"), len(data) + 100)
    path.write_bytes(data)
    look = tone_profile.read_tone_profile(path, identify(path))
    assert look.curve is None
    assert look.noted[0].startswith("The ICC profile cannot be read")
