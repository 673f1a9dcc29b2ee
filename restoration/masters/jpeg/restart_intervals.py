"""Restart intervals of a sequential JPEG, decoded one by one to distinguish data from padding."""

from dataclasses import dataclass
from typing import BinaryIO, Final

import pyvips

from restoration.masters.jpeg.markers import BASELINE, DRI, EOI, SOI, SOS, Frame, Segment, parse_frame

_MAX_INTERVAL: Final = 1 << 24
_MAX_SIDE: Final = 65_500
_COPIES: Final = 3
_TABLES: Final = {0xDB, 0xC4}
"""Quantization and Huffman tables."""


@dataclass(slots=True)
class RestartIntervals:
    """Restart intervals of a single sequential scan; libjpeg decodes each of them as a small picture."""

    tables: bytes
    scan: bytes
    frame: Frame
    frame_content: bytes
    units: int
    """Minimum coded units (MCU) of an interval."""
    total: int
    """MCUs of the picture."""
    across: int
    """MCUs of a row of the picture."""
    unit: tuple[int, int]
    """Pixels of an MCU across and down."""
    number: int = 0
    """Index of the current interval."""

    @classmethod
    def of(cls, header: list[Segment], frame: Frame) -> "RestartIntervals | None":
        """Return the intervals that the segments up to the first scan define, None if there are none."""
        restarts = [one.content for one in header if one.marker == DRI and len(one.content) == 2]
        scan = header[-1].content
        start = next(one for one in header if parse_frame(one))
        if frame.marker not in BASELINE or not restarts or not scan or scan[0] != len(frame.components):
            return None
        units = int.from_bytes(restarts[-1], "big")
        if len(frame.components) == 1:
            unit = (8, 8)
        else:
            unit = (8 * max(one[1] for one in frame.components), 8 * max(one[2] for one in frame.components))
        if not units or min(unit) < 8:
            return None
        across, down = -(-frame.width // unit[0]), -(-frame.height // unit[1])
        tables = b"".join(_encoded(one.marker, one.content) for one in header if one.marker in _TABLES)
        scan = scan[:-3] + b"\x00\x3f\x00"
        return cls(tables, scan, frame, start.content, units, across * down, across, unit)

    def needed(self, file: BinaryIO, begin: int, end: int, padding: bytes) -> int | None:
        """Return how many bytes of the apparent padding are data; None if that is unknown.

        The current interval is in `file` from `begin` to `end`, and `padding` follows it.
        """
        units = min(self.units, self.total - self.number * self.units)
        if units * self.unit[0] <= _MAX_SIDE:
            size = (units * self.unit[0], self.unit[1])
        elif units % self.across == 0:
            size = (self.across * self.unit[0], units // self.across * self.unit[1])
        else:
            return None
        if units < 1 or end - begin > _MAX_INTERVAL or _COPIES * size[1] > _MAX_SIDE:
            return None
        file.seek(begin)
        data = file.read(end - begin)
        if not self._is_short(size, units, data):
            return 0  # the usual case
        low, high = 0, len(padding)
        if self._is_short(size, units, data + padding):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            if self._is_short(size, units, data + padding[:middle]):
                low = middle
            else:
                high = middle
        return high

    def _is_short(self, size: tuple[int, int], units: int, data: bytes) -> bool:
        """Return whether libjpeg finds too little data for an interval; it ignores a few bytes too many.

        The interval is repeated, because libvips reports libjpeg's warning about a row only with later rows.
        """
        content = bytearray(self.frame_content)
        content[1:5] = (_COPIES * size[1]).to_bytes(2, "big") + size[0].to_bytes(2, "big")
        if len(self.frame.components) == 1:
            content[7] = 0x11
        repeated = b"".join(data + bytes((0xFF, 0xD0 + i)) for i in range(_COPIES - 1))
        parts = (
            bytes((0xFF, SOI)),
            self.tables,
            _encoded(DRI, units.to_bytes(2, "big")),
            _encoded(self.frame.marker, bytes(content)),
            _encoded(SOS, self.scan),
            repeated,
            data,
            bytes((0xFF, EOI)),
        )
        try:
            pyvips.Operation.call(
                "jpegload_buffer", b"".join(parts), access="sequential", fail_on="warning"
            ).write_to_memory()
        except pyvips.Error as error:
            return "premature" in str(error)
        return False


def _encoded(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content
