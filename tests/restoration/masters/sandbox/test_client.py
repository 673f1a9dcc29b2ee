"""The reader process and its client: crashes, limits and isolation."""

import hashlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image
from skimage import data

from restoration import Limits, MissingFile, OutOfMemory, ReaderFailed, TruncatedImage
from restoration.errors import ImplausiblePixels, MasterUnavailable
from restoration.masters.facts import ScanFacts
from restoration.masters.identify import identify
from restoration.masters.sandbox import Reader
from restoration.masters.strips import Master

Maker = Callable[..., Path]
LIMITS = Limits()


@pytest.fixture
def reader() -> Iterator[Reader]:
    one = Reader()
    yield one
    one.close()


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interlaced PNG of 64 megapixels: no row is ready before all of it is decoded."""
    path = tmp_path_factory.mktemp("slow") / "slow.png"
    grain = pyvips.Image.gaussnoise(1000, 1000, mean=128, sigma=40, seed=1).cast("uchar").replicate(8, 8)
    grain.copy(interpretation="b-w").pngsave(str(path), interlace=True, compression=1)
    return path


@pytest.fixture(scope="module")
def tall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG of 42 megapixels that is read in many strips."""
    path = tmp_path_factory.mktemp("tall") / "tall.png"
    Image.fromarray(np.tile(data.camera(), (40, 4))).save(path, compress_level=1)
    return path


def pid_of(reader: Reader) -> int:
    assert reader._process is not None
    return reader._process.pid


def test_the_reader_finds_the_same_as_this_process(reader: Reader, picture: Maker, tmp_path: Path) -> None:
    path = picture(data.camera(), "a.png")
    facts = identify(path)
    digest = hashlib.sha256()
    here = Master(path, facts, tmp_path).overview(100, None, digest)

    there = reader.overview(path, LIMITS, 100, tmp_path)

    assert reader.identify(path, LIMITS) == facts == there.facts
    assert np.array_equal(there.planes, here)
    assert there.planes.flags.writeable
    assert there.samples_sha256 == digest.digest()


def test_the_reader_limits_its_threads(reader: Reader, picture: Maker, tmp_path: Path) -> None:
    reader.overview(picture(data.camera(), "a.tif"), LIMITS, 100, tmp_path)
    environment = Path(f"/proc/{pid_of(reader)}/environ").read_bytes().split(b"\0")
    assert b"OPENBLAS_NUM_THREADS=1" in environment


def test_errors_name_the_file(reader: Reader, picture: Maker, tmp_path: Path) -> None:
    cut = picture(data.camera(), "cut.png")
    cut.write_bytes(cut.read_bytes()[:20_000])

    with pytest.raises(TruncatedImage) as caught:
        reader.overview(cut, LIMITS, 100, tmp_path)
    with pytest.raises(MissingFile):
        reader.identify(tmp_path / "none.tif", LIMITS)

    assert caught.value.path == cut


@pytest.mark.parametrize("name", ["a.png", "./a.png", "folder/../a.png", "../here/a.png"])
def test_relative_paths_are_relative_to_this_process(
    reader: Reader, picture: Maker, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here" / "folder").mkdir(parents=True)
    picture(data.camera(), "a.png").rename(tmp_path / "here" / "a.png")
    lying = tmp_path / "here" / "lying.tif"
    Image.fromarray(data.camera()).save(lying, tiffinfo={274: 6})
    monkeypatch.chdir(tmp_path / "here")

    assert reader.identify(Path(name), LIMITS).width == 512
    assert reader.overview(Path(name), LIMITS, 100, Path()).planes.shape == (1, 100, 100)
    assert reader.overview(Path("lying.tif"), LIMITS, 100, Path("folder")).facts.orientation == 6
    with pytest.raises(MissingFile) as caught:
        reader.identify(Path("none.png"), LIMITS)
    assert caught.value.path == Path("none.png")


def test_a_file_with_an_undecodable_name_is_read(reader: Reader, picture: Maker, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xbb\xe7\xc1\xf8.png")
    picture(data.camera(), "a.png").rename(path)

    assert reader.identify(path, LIMITS).width == 512


def test_after_a_crash_a_new_process_reads_the_next_file(
    reader: Reader, picture: Maker, tall: Path, tmp_path: Path
) -> None:
    path = picture(data.camera(), "a.png")
    reader.identify(path, LIMITS)
    first = pid_of(reader)

    def crash(_done: int, _total: int) -> None:
        os.kill(first, signal.SIGSEGV)

    with pytest.raises(ReaderFailed, match=r"crashed \(SIGSEGV\)") as caught:
        reader.overview(tall, LIMITS, 100, tmp_path, crash)

    assert caught.value.path == tall
    assert reader.identify(path, LIMITS).width == 512
    assert pid_of(reader) != first


def test_a_killed_reader_is_a_transient_error(reader: Reader, tall: Path, tmp_path: Path) -> None:
    with pytest.raises(OutOfMemory, match="was killed"):
        reader.overview(tall, LIMITS, 100, tmp_path, lambda _d, _t: os.kill(pid_of(reader), signal.SIGKILL))


def test_a_file_that_takes_too_much_memory_fails(reader: Reader, slow: Path, tmp_path: Path) -> None:
    small = Limits(reader_bytes=60_000_000)

    with pytest.raises(ReaderFailed, match=r"more than 0\.1 GB of memory") as caught:
        reader.overview(slow, small, 100, tmp_path)

    assert "SAEK_READER_BYTES" in caught.value.remedy
    assert reader.overview(slow, LIMITS, 100, tmp_path).facts.pixels == 64_000_000


def test_a_file_that_takes_too_much_time_fails(reader: Reader, slow: Path, tmp_path: Path) -> None:
    def read_several_times() -> None:
        for _ in range(6):  # the kernel counts whole seconds
            reader.overview(slow, Limits(reader_cpu_seconds=0), 100, tmp_path)

    with pytest.raises(ReaderFailed, match="more than 0 s of processor time"):
        read_several_times()


def test_a_busy_reader_without_progress_is_ended(reader: Reader, slow: Path, tmp_path: Path) -> None:
    def read_until_busy() -> None:
        for _ in range(20):  # on a loaded machine it may not get the processor before it is asked
            with suppress(MasterUnavailable):
                reader.overview(slow, Limits(reader_silent_seconds=0), 100, tmp_path)

    with pytest.raises(ReaderFailed, match="no progress"):
        read_until_busy()


def test_a_reader_that_waits_for_storage_is_transient(reader: Reader, tall: Path, tmp_path: Path) -> None:
    short = Limits(reader_silent_seconds=1)

    with pytest.raises(MasterUnavailable, match="did not answer"):
        reader.overview(tall, short, 100, tmp_path, lambda _d, _t: os.kill(pid_of(reader), signal.SIGSTOP))

    assert reader.identify(tall, LIMITS).width == 2048


def test_a_stopped_request_leaves_no_answer_behind(
    reader: Reader, picture: Maker, tall: Path, tmp_path: Path
) -> None:
    small = picture(data.moon(), "b.png")

    def stop(_done: int, _total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        reader.overview(tall, LIMITS, 100, tmp_path, stop)

    assert reader.overview(small, LIMITS, 100, tmp_path).facts == identify(small)


def test_the_reader_gets_no_secrets(reader: Reader, picture: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAEK_DATABASE_URL", "postgresql://saek:tiger@localhost/saek")
    monkeypatch.setenv("PGPASSWORD", "tiger")
    reader.identify(picture(data.camera(), "a.png"), LIMITS)

    assert b"tiger" not in Path(f"/proc/{pid_of(reader)}/environ").read_bytes()


def test_the_reader_ends_with_its_client(picture: Maker) -> None:
    path = picture(data.camera(), "a.png")
    code = (
        "import sys, time; from pathlib import Path; from restoration import identify\n"
        "from restoration.masters.sandbox import shared_reader\n"
        f"identify(Path({str(path)!r}))\n"
        "print(shared_reader()._process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    ended, _, _ = select.select([child], [], [], 10)
    os.close(child)
    assert ended


def test_noise_behind_a_valid_header_is_refused(reader: Reader, picture: Maker, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 65536, (300, 200), np.uint16)

    with pytest.raises(ImplausiblePixels, match="noise"):
        reader.overview(picture(noise, "noise.tif"), LIMITS, 100, tmp_path)


@pytest.mark.parametrize(
    "name", ["camera", "moon", "coins", "page", "brick", "grass", "gravel", "checkerboard"]
)
def test_pictures_and_textures_are_not_taken_for_noise(
    reader: Reader, picture: Maker, tmp_path: Path, name: str
) -> None:
    assert isinstance(
        reader.overview(picture(getattr(data, name)(), "a.tif"), LIMITS, 100, tmp_path).facts, ScanFacts
    )


def test_heavy_grain_is_not_taken_for_noise(reader: Reader, picture: Maker, tmp_path: Path) -> None:
    grain = np.random.default_rng(2).normal(0, 60, data.camera().shape)
    grainy = np.clip(data.camera() + grain, 0, 255).astype(np.uint8)

    assert reader.overview(picture(grainy, "grainy.tif"), LIMITS, 100, tmp_path).facts.width == 512
