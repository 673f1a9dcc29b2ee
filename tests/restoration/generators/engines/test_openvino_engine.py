"""The OpenVINO engine: its interface, its independence of torch, and its errors."""

import dataclasses
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from restoration.errors import ModelError, WeightsMismatch
from restoration.generators.engines import open_engine
from restoration.generators.engines.engine import Engine
from restoration.generators.models import Library, ModelCard, default_model, model_card


@pytest.fixture
def card(shelf: Path) -> ModelCard:
    return model_card("trial", Library((shelf,)))


@pytest.fixture(scope="module")
def shipped() -> Engine:
    return open_engine(default_model(), "cpu", 1, "openvino")


def test_the_name_tells_engine_device_and_model(shipped: Engine) -> None:
    assert shipped.name == f"openvino/cpu/{default_model().name}"


def test_gray_pictures_of_any_fitting_size_come_back_as_chroma(shipped: Engine) -> None:
    for shape in ((3, 64, 96), (1, 256, 256), (1, 32, 640)):
        planes = shipped.predict(_gray(*shape))

        assert planes.shape == (shape[0], default_model().out_channels, *shape[1:])
        assert planes.dtype == np.float32
        assert np.abs(planes[:, :2]).max() <= 0.5


def test_the_same_picture_gives_the_same_bytes_in_any_batch(shipped: Engine) -> None:
    gray = _gray(5, 128, 96)

    together = shipped.predict(gray)

    assert shipped.predict(gray).tobytes() == together.tobytes()
    for picture, planes in zip(gray, together, strict=True):
        assert shipped.predict(picture[None])[0].tobytes() == planes.tobytes()


def test_threads_do_not_change_the_bytes(shipped: Engine) -> None:
    gray = _gray(1, 256, 160)

    assert open_engine(default_model(), "cpu", 3, "openvino").predict(gray).tobytes() == (
        shipped.predict(gray).tobytes()
    )


def test_another_process_gives_the_same_bytes(shipped: Engine) -> None:
    code = (
        "import sys, numpy as np;"
        "from restoration.generators.engines import open_engine;"
        "from restoration.generators.models import default_model;"
        "gray = np.random.default_rng(7).random((1, 96, 64), dtype=np.float32);"
        "sys.stdout.buffer.write(open_engine(default_model(), 'cpu', 2, 'openvino').predict(gray).tobytes())"
    )

    made = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout

    assert made == shipped.predict(_gray(1, 96, 64)).tobytes()


def test_threads_that_share_an_engine_get_what_each_asked_for(shipped: Engine) -> None:
    pictures = [_gray(1, 64, 32 * side) for side in range(1, 9)]
    alone = [shipped.predict(gray).tobytes() for gray in pictures]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda gray: shipped.predict(gray).tobytes(), pictures))

    assert together == alone


def test_results_are_not_overwritten(shipped: Engine) -> None:
    gray = _gray(1, 64, 64)
    first = shipped.predict(gray)
    kept = first.copy()

    shipped.predict(1 - gray)

    assert np.array_equal(first, kept)


def test_the_input_is_left_as_it_was_and_may_be_a_view(shipped: Engine) -> None:
    gray = _gray(1, 128, 128)
    before = gray.copy()

    view = shipped.predict(gray[:, 32:96, ::2])

    assert np.array_equal(gray, before)
    assert np.array_equal(view, shipped.predict(gray[:, 32:96, ::2].copy()))


@pytest.mark.parametrize(
    ("gray", "reason"),
    [
        (np.zeros((32, 32), np.float32), "float32"),
        (np.zeros((1, 32, 32)), "float32"),
        (np.zeros((1, 32, 48), np.float32), "multiples of 32"),
        (np.zeros((0, 32, 32), np.float32), "multiples of 32"),
    ],
)
def test_another_shape_or_type_is_refused(shipped: Engine, gray: np.ndarray, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        shipped.predict(gray)


def test_statistics_are_for_those_that_normalize_by_instance(shipped: Engine) -> None:
    with pytest.raises(ValueError, match="does not normalize by instance"):
        shipped.with_statistics(_gray(1, 256, 256), np.ones(1, np.float32))


def test_changed_weights_are_not_run(card: ModelCard, shelf: Path) -> None:
    (shelf / card.file).write_bytes(b"other weights")

    with pytest.raises(WeightsMismatch):
        open_engine(card, "cpu", engine="openvino")


def test_weights_of_another_architecture_are_not_run(card: ModelCard) -> None:
    with pytest.raises(ModelError, match="do not fit"):
        open_engine(dataclasses.replace(card, architecture="seed-unet"), "cpu", engine="openvino")


def test_an_architecture_of_the_future_is_told(card: ModelCard) -> None:
    with pytest.raises(ModelError, match="unknown architecture"):
        open_engine(dataclasses.replace(card, architecture="to-come"), "cpu", engine="openvino")


@pytest.mark.parametrize("threads", [1, 2])
def test_the_engine_works_again_after_out_of_memory(threads: int) -> None:
    code = f"""
import resource, numpy as np
from pathlib import Path
from restoration.generators.engines import open_engine
from restoration.errors import OutOfMemory
from restoration.generators.models import default_model

engine = open_engine(default_model(), "cpu", {threads}, "openvino")
small, large = (np.full((1, side, side), 0.3, np.float32) for side in (256, 2048))
expected = engine.predict(small)
free, most = resource.getrlimit(resource.RLIMIT_AS)
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 2**27, most))
try:
    engine.predict(large)
except OutOfMemory as error:
    print(error.code)
resource.setrlimit(resource.RLIMIT_AS, (free, most))
print(np.array_equal(engine.predict(small), expected))
"""

    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert told.splitlines() == ["out-of-memory", "True"]


def test_coloring_a_scan_on_the_cpu_loads_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from restoration import Compute, Input, Output, recipe_for, restore;"
        "master, out = (Path(word) for word in sys.argv[1:]);"
        "made = restore(Input(master), recipe_for(), Output(out), Compute(device='cpu'));"
        "print(made.engine, 'torch' in sys.modules)"
    )
    master = tmp_path / "master.tif"
    _write_camera(master)

    done = subprocess.run(
        [sys.executable, "-c", code, master, tmp_path / "out.tif"], check=True, capture_output=True, text=True
    )

    assert done.stdout.split() == [f"openvino/cpu/{default_model().name}", "False"]


def test_openvino_sends_nothing_and_writes_nothing_to_home(tmp_path: Path) -> None:
    """By default its import alone sends usage statistics and writes an identity to the home."""
    code = """
import sys

def refuse(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen")):
        raise SystemExit(f"{event} {arguments}")

sys.addaudithook(refuse)
import numpy as np
from restoration.generators.engines import open_engine
from restoration.generators.models import default_model
open_engine(default_model(), "cpu", 1, "openvino").predict(np.zeros((1, 64, 64), np.float32))
"""
    environment = os.environ | {"HOME": str(tmp_path)}

    subprocess.run([sys.executable, "-c", code], check=True, env=environment)

    assert list(tmp_path.iterdir()) == []


def _write_camera(path: Path) -> None:
    import tifffile  # noqa: PLC0415
    from skimage import data  # noqa: PLC0415

    tifffile.imwrite(path, data.camera()[:300, :400])


def _gray(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).random(shape, dtype=np.float32)


_REMEMBERING = """
import os, sys
import numpy as np
from restoration.generators.engines import open_engine
from restoration.generators.models import default_model

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

engine = open_engine(default_model(), "cpu", 1, "openvino")
def shown(height, width):
    engine.predict(np.full((1, height, width), 0.5, np.float32))
    return resident()
"""


def _grown(code: str) -> float:
    """Return the megabytes that a separate process prints."""
    words = [sys.executable, "-c", _REMEMBERING + code]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def test_the_memory_of_a_large_picture_is_given_back() -> None:
    """Without release it was 560 MB more than before."""
    grown = _grown("before = shown(512, 512); shown(1024, 1024); print((shown(512, 512) - before) / 1e6)")
    assert grown < 200


def test_memory_does_not_grow_with_new_sizes() -> None:
    """Each size once left kernels of 4 MB: 240 MB after 60 more sizes."""
    grown = _grown(
        "sizes = [(32 * a, 32 * b) for a in range(2, 12) for b in range(2, 12)]\n"
        "shown(352, 352)\n"
        "at = [shown(*size) for size in sizes]\n"
        "print((at[-1] - at[39]) / 1e6)"
    )
    assert grown < 80
