"""Extreme panoramas: the size of network inputs and the memory stay within their limits."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from restoration import Preset
from restoration.arrays import resample
from restoration.colorize.inference import colorize, infer_chroma, infer_planes
from restoration.colorize.input_splitting import MAX_INPUT_PIXELS, PART_PIXELS, split_input
from restoration.colorize.plan import count_windows, guide_side
from restoration.colorize.predicted_error import confidence
from restoration.generators.engines import Engine
from restoration.generators.models import InputSpec

FIXED = InputSpec(256, 32)
INSTANCE = InputSpec(256, 256, "instance")
MEGABYTE = 1_000_000


class Recorder:
    """A fake engine that colors each pixel by its gray and records the largest input."""

    name = "test/cpu/watched"

    def __init__(self) -> None:
        self.most = 0

    def predict(self, gray: np.ndarray) -> np.ndarray:
        for picture in gray:  # an engine splits a batch itself
            self.most = max(self.most, picture.size)
        return np.stack((0.5 * gray - 0.2, 0.3 - 0.5 * gray), axis=1).astype(np.float32)

    def with_statistics(self, pictures: np.ndarray, weights: np.ndarray) -> Engine:
        assert len(pictures) == len(weights)
        self.most = max(self.most, pictures.size)
        return self


def luminance_of(height: int, width: int, preset: Preset) -> np.ndarray:
    """Return a luminance of the size that the reader makes of such a scan."""
    side = min(max(height, width), guide_side(preset, height, width))
    return np.random.default_rng(1).random(resample.fit(height, width, side), dtype=np.float32)


SHAPES = [(1, 65_537), (200_000, 1), (3, 50_000), (60, 36_000), (17, 1_200), (40, 40), (1, 1)]


@pytest.mark.parametrize("spec", [FIXED, INSTANCE], ids=["fixed", "instance"])
@pytest.mark.parametrize("preset", [Preset.BALANCED, Preset.NATIVE])
@pytest.mark.parametrize("shape", SHAPES)
def test_network_inputs_never_exceed_the_limit(
    shape: tuple[int, int], preset: Preset, spec: InputSpec
) -> None:
    engine = Recorder()
    luminance = luminance_of(*shape, preset)
    field = colorize(luminance, preset, spec, engine)
    assert field.windows == count_windows(*shape, preset, spec)
    if spec is FIXED:
        confidence(luminance, field.chroma, spec, engine)
    assert engine.most <= MAX_INPUT_PIXELS


@given(st.integers(1, 3000), st.integers(1, 90_000), st.booleans(), st.sampled_from([32, 256]))
@settings(deadline=None)
def test_parts_cover_the_picture_within_the_limit(
    short: int, long: int, upright: bool, multiple: int
) -> None:
    height, width = (long, short) if upright else (short, long)
    parts = split_input(height, width, multiple)
    shapes = [[side + -side % multiple for side in part.shape] for part in parts]
    assert max(a * b for a, b in shapes) <= (MAX_INPUT_PIXELS if len(parts) == 1 else PART_PIXELS)
    for length, spans in (
        (height, [part.rows for part in parts]),
        (width, [part.columns for part in parts]),
    ):
        covered = np.zeros(length)
        for span in spans:
            covered[span.start : span.stop] += 1
        assert covered.min() >= 1


@pytest.mark.parametrize("shape", [(1, 65_537), (90, 9000), (20_000, 33), (1300, 1200)])
def test_a_split_input_is_colored_as_one(shape: tuple[int, int]) -> None:
    plane = np.random.default_rng(2).random(shape, dtype=np.float32)
    assert len(split_input(*shape, 32)) > 1
    done: list[int] = []
    chroma = infer_chroma(Recorder(), plane, 32, done.append)
    assert done == list(range(len(split_input(*shape, 32))))
    assert np.allclose(chroma, np.stack((0.5 * plane - 0.2, 0.3 - 0.5 * plane)), atol=1e-5)


def test_parts_that_disagree_leave_no_step() -> None:
    class OwnPalettes(Recorder):
        def predict(self, gray: np.ndarray) -> np.ndarray:
            offset = gray.mean(axis=(1, 2), keepdims=True) - 0.5
            return np.stack((gray * 0 + offset, gray * 0 - offset), axis=1).astype(np.float32)

    plane = np.linspace(0, 1, 20_000, dtype=np.float32) * np.ones((100, 1), np.float32)
    chroma = infer_planes(OwnPalettes(), plane, 32)
    assert chroma[0].min() < -0.3
    assert chroma[0].max() > 0.3
    assert np.abs(np.diff(chroma[0], axis=1)).max() < 0.002


@pytest.fixture(scope="module", params=[(1, 80_000), (80_000, 1)], ids=["wide", "tall"])
def restored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Restore a line of pixels from the command line; return its folder and the peak memory, bytes."""
    height, width = request.param
    folder = tmp_path_factory.mktemp("line")
    at = np.linspace(0, 40, max(height, width))
    gray = np.rint(127 + 100 * np.sin(at)).astype(np.uint8).reshape(height, width)
    tifffile.imwrite(folder / "line.tif", gray)
    words = [sys.executable, "-m", "worker", "restore", folder / "line.tif", "-o", folder / "color.tif"]
    running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while running.poll() is None:
        peak = max(peak, sum(_resident(pid) for pid in _tree(running.pid)))
        time.sleep(0.01)
    assert running.returncode == 0
    return folder, peak


def test_a_line_of_pixels_takes_less_than_700_megabytes(restored: tuple[Path, int]) -> None:
    assert 100 * MEGABYTE < restored[1] < 700 * MEGABYTE


def test_a_line_of_pixels_keeps_its_luminance(restored: tuple[Path, int]) -> None:
    folder, _ = restored
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(folder / "line.tif") as master, Image.open(folder / "color.tif") as color:
        assert np.array_equal(np.asarray(color.convert("L")), np.asarray(master))


def _tree(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [deeper for child in task.read_text().split() for deeper in _tree(int(child))]
        except OSError:
            continue
    return found


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)
