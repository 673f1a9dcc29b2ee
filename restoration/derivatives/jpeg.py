"""JPEG writer: strip by strip by libvips, which reads from a whole picture.

The strips go through a pipe as an uncompressed PNG, which libvips reads as a stream in a second thread while
the next strip is composed.
"""

import errno
import os
import threading
from pathlib import Path
from types import TracebackType

import pyvips

from restoration.arrays.luma import Gray
from restoration.derivatives.png import PngStream, icc_chunk, resolution_chunk
from restoration.masters.libvips import first_line

MAX_SIDE = 65_535
"""Limit of the 16-bit fields of the format; libjpeg stops a little earlier."""


class JpegStream:
    """A context that writes one JPEG to `path`; leaving it waits until the file is complete.

    Raises OSError if the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        *,
        quality: int,
        profile: bytes,
        dpi: tuple[float, float] | None,
        blobs: dict[str, bytes],
    ) -> None:
        self._path = path
        self._quality = quality
        self._blobs = blobs
        self._error: Exception | None = None
        self._readable, self._writable = os.pipe()
        chunks = [icc_chunk(profile, "RGB"), *([resolution_chunk(dpi)] if dpi else [])]
        self._png = PngStream(self._feed, width, height, chunks=chunks, level=0)
        self._thread = threading.Thread(target=self._save, name="jpeg", daemon=True)

    def __enter__(self) -> "JpegStream":
        self._thread.start()
        return self

    def add(self, rgb: Gray) -> None:
        """Write the next rows (h, W, 3), uint8."""
        self._png.add(rgb)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._png.close()
        finally:
            os.close(self._writable)  # an early end of the stream makes libvips give up
            self._thread.join()
        if kind is None and self._error:
            raise self._error

    def _feed(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._writable, view) :]
        except BrokenPipeError:
            self._thread.join()
            if self._error:
                raise self._error from None
            # without an error libvips left after the last row: it does not wait for the end mark

    def _save(self) -> None:
        try:
            self._save_image()
        except pyvips.Error as error:
            self._error = _as_os_error(error)
        finally:
            os.close(self._readable)

    def _save_image(self) -> None:
        source = pyvips.Source.new_from_descriptor(self._readable)
        image = pyvips.Image.pngload_source(source, access="sequential", fail_on="warning").copy()
        for name, blob in self._blobs.items():
            image.set_type(pyvips.GValue.blob_type, name, blob)
        with self._path.open("wb") as file:
            target = pyvips.Target.new_to_descriptor(file.fileno())
            image.jpegsave_target(target, Q=self._quality)  # optimal tables would buffer the whole picture


def _as_os_error(error: pyvips.Error) -> OSError:
    """Distinguish a full disk from other failures: libvips names the cause in words only."""
    text = first_line(error)
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        if os.strerror(code).lower() in str(error).lower():
            return OSError(code, text)
    return OSError(errno.EIO, text)
