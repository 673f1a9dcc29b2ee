"""A disk or a share that fails is not held against the master that lies on it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tifffile
from numpy.typing import NDArray

from restoration import (
    Compute,
    Input,
    Limits,
    LoadedModel,
    MasterUnavailable,
    NoSpace,
    OutOfMemory,
    Output,
    Recipe,
    TruncatedImage,
    UnreadableFile,
    restore,
)
from restoration.masters.identify import identify
from restoration.masters.refusals import unreadable_pixels


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A function that has every opening of a file fail with an error of the system."""

    def failing(code: int) -> None:
        def refuse(*_: Any, **__: Any) -> int:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr("restoration.masters.safe_open.os.open", refuse)

    return failing


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EMFILE])
def test_a_share_that_fails_passes(tmp_path: Path, failing: Callable[[int], None], code: int) -> None:
    failing(code)
    with pytest.raises(MasterUnavailable, match=os.strerror(code)) as told:
        identify(tmp_path / "a.tif", Limits())
    assert "automatically" in told.value.remedy


def test_a_file_without_permission_is_at_fault_itself(tmp_path: Path, failing: Callable[[int], None]) -> None:
    failing(errno.EACCES)
    with pytest.raises(UnreadableFile):
        identify(tmp_path / "a.tif", Limits())


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (f"tiff2vips: read error: unix error: {os.strerror(errno.EIO)}", MasterUnavailable),
        (f"unix error: {os.strerror(errno.ESTALE)}", MasterUnavailable),
        ("out of memory", OutOfMemory),
        ("not enough data", TruncatedImage),
    ],
)
def test_a_decoder_message_about_the_storage_is_recognized(words: str, kind: type[Exception]) -> None:
    assert isinstance(unreadable_pixels(Path("a.tif"), words), kind)


def test_a_full_disk_under_the_second_decoder_is_transient(
    tmp_path: Path,
    gray16: NDArray[Any],
    recipe: Callable[..., Recipe],
    loaded: LoadedModel,
    mount: Callable[..., None],
) -> None:
    master, outbox = tmp_path / "a.tif", tmp_path / "out"
    tifffile.imwrite(master, gray16, compression="zstd")
    outbox.mkdir()
    mount(outbox, "64k")
    with pytest.raises(NoSpace):
        restore(Input(master), recipe(), Output(outbox / "a.tif"), Compute(model=loaded))
    assert list(outbox.iterdir()) == []
