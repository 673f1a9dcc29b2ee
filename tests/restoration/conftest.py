import hashlib
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from restoration import LoadedModel, OutputFormat, Preset, Recipe
from restoration.generators.models import InputSpec

WEIGHTS = "5" * 64


class SmoothChroma:
    """A real, deterministic function from gray to chroma that stands where the network will."""

    name = "test/cpu/smooth"

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def predict(self, gray: NDArray[np.float32]) -> NDArray[np.float32]:
        assert gray.dtype == np.float32
        assert not gray.shape[1] % 32
        assert not gray.shape[2] % 32
        self.shapes.append(gray.shape)
        return np.stack((0.35 * (0.5 - gray), 0.3 * (gray - 0.4)), axis=1).astype(np.float32)


@pytest.fixture
def engine() -> SmoothChroma:
    return SmoothChroma()


@pytest.fixture
def loaded(engine: SmoothChroma) -> LoadedModel:
    return LoadedModel(engine, InputSpec(256, 32), WEIGHTS)


@pytest.fixture
def recipe() -> Callable[..., Recipe]:
    def make(fmt: str = "tiff", **facts: object) -> Recipe:
        usual = {"model": "smooth", "weights": WEIGHTS, "preset": Preset.FAST, "format": OutputFormat(fmt)}
        return Recipe(**{**usual, **facts})

    return make


@pytest.fixture(scope="session")
def gray8() -> NDArray[np.uint8]:
    """A photograph with odd, prime sides."""
    return np.ascontiguousarray(data.camera()[:337, :251])


@pytest.fixture(scope="session")
def gray16(gray8: NDArray[np.uint8]) -> NDArray[np.uint16]:
    grain = np.random.default_rng(3).integers(0, 257, gray8.shape)
    return np.minimum(gray8.astype(np.int64) * 257 + grain, 65535).astype(np.uint16)


@pytest.fixture
def tiff(tmp_path: Path) -> Callable[..., Path]:
    def make(samples: NDArray[np.generic], name: str = "master.tif", **facts: object) -> Path:
        tifffile.imwrite(tmp_path / name, samples, metadata=None, **facts)
        return tmp_path / name

    return make


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    def make(samples: NDArray[np.generic], name: str, mode: str | None = None, **facts: object) -> Path:
        image = Image.fromarray(samples)
        (image if mode is None else image.convert(mode)).save(tmp_path / name, **facts)
        return tmp_path / name

    return make


@pytest.fixture
def png_that_claims(tmp_path: Path) -> Callable[[int, int], Path]:
    """A PNG of a few bytes whose header claims any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    def make(width: int, height: int) -> Path:
        path = tmp_path / "claims.png"
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        body = chunk(b"IDAT", zlib.compress(bytes(4000))) + chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)
        return path

    return make


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A registry's folder with one model of fresh weights, `trial`, the default."""
    import torch  # noqa: PLC0415  (the tests of scans need none)
    from safetensors.torch import save  # noqa: PLC0415

    from restoration.generators.models import ModelCard, card_toml  # noqa: PLC0415
    from restoration.generators.networks.lite0_unet import Lite0Unet  # noqa: PLC0415

    torch.manual_seed(1)
    content = save(Lite0Unet().state_dict())
    (tmp_path / "trial.safetensors").write_bytes(content)
    card = ModelCard(
        name="trial",
        summary="Fresh weights, for tests.",
        architecture="lite0-unet",
        in_channels=1,
        out_channels=2,
        multiple=32,
        working_side=256,
        statistics="fixed",
        license="Apache-2.0",
        file="trial.safetensors",
        weights=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        default=True,
    )
    (tmp_path / "trial.toml").write_text(card_toml(card))
    return tmp_path


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty crops of photographs, in two sets."""
    folder = tmp_path_factory.mktemp("album")
    rng = np.random.default_rng(5)
    for name, photograph in (("people", data.astronaut()), ("table", data.coffee())):
        (folder / name).mkdir()
        for number in range(30):
            top, left = rng.integers(0, np.array(photograph.shape[:2]) - 128)
            crop = photograph[top : top + 128, left : left + 128]
            Image.fromarray(crop).save(folder / name / f"{number:02d}.png")
    return folder
