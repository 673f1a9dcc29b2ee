"""How a TIFF is written strip by strip or tile by tile, and what is remembered to prove the finished file."""

import hashlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import tifffile

from restoration.arrays import ordered_map
from restoration.arrays.buffer_pool import BufferPool
from restoration.derivatives.compose import Canvas, Painted, PaintedDigest, Painting, Proof, as_it_is
from restoration.derivatives.pyramid import TILE, Piece, levels_of, pieces
from restoration.derivatives.verified_deflate import prove, seal
from restoration.masters.strips import strip_rows

CLASSIC_BYTES: Final = 4_000_000_000
"""Uncompressed samples beyond which offsets of 32 bits might not do."""

_STRIP_BYTES: Final = 1 << 18


Tags = dict[str, Any]
"""Keywords of `tifffile.TiffWriter.write` for the first page."""


def is_big(canvas: Canvas, *, pyramid: bool) -> bool:
    """Whether the file needs offsets of 64 bits: decided before anything is compressed."""
    levels = levels_of(canvas.width, canvas.height) if pyramid else ((canvas.width, canvas.height),)
    pixels = sum(width * height for width, height in levels)
    return pixels * canvas.bands * canvas.bits // 8 > CLASSIC_BYTES


def write(path: Path, painting: Painting, tags: Tags, *, pyramid: bool) -> Proof:
    """Paint and write with `tags`, every compressed piece proven. Raises OSError, LumaMismatch.

    A pyramid has tiles of 256 and, as further pages, copies of half the size each down to one tile; their
    tiles wait in a file without a name beside `path`. The pixels of the first page are the same either way.
    """
    samples = PaintedDigest()
    with tifffile.TiffWriter(path, bigtiff=is_big(painting.canvas, pyramid=pyramid), byteorder="<") as file:
        if pyramid:
            return samples.proof(_write_tiles(file, path.parent, samples, painting, tags))
        _write_strips(file, samples, painting, tags)
        return samples.proof()


def _write_strips(tiff: tifffile.TiffWriter, samples: PaintedDigest, painting: Painting, tags: Tags) -> None:
    canvas = painting.canvas
    rows = rows_per_strip(canvas)

    def sealed(painted: Painted, buffers: BufferPool) -> tuple[Painted, list[bytes]]:
        cuts = [slice(top, top + rows) for top in range(0, len(painted.samples), rows)]
        return painted, [seal(painted.samples[cut], buffers) for cut in cuts]

    def encoded() -> Iterator[bytes]:
        for painted, parts in painting.each(sealed):
            samples.add(painted)
            yield from parts

    _write_page(tiff, encoded(), canvas, (canvas.width, canvas.height), tags | {"rowsperstrip": rows})


def _write_tiles(
    tiff: tifffile.TiffWriter, folder: Path, samples: PaintedDigest, painting: Painting, tags: Tags
) -> tuple[str, ...]:
    canvas = painting.canvas
    levels = levels_of(canvas.width, canvas.height)
    digests = [hashlib.sha256() for _ in levels]

    def painted() -> Iterator[Painted]:
        for one in painting.each(as_it_is):
            samples.add(one)
            yield one

    def compressed(piece: Piece, buffers: BufferPool) -> tuple[int, bytes]:
        sealed = seal(piece.samples, buffers)
        if piece.level:  # the picture itself is decoded again when it is finished
            prove(sealed, piece.samples, buffers)
        return piece.level, sealed

    with tempfile.TemporaryFile(dir=folder) as waiting:
        sizes: list[list[tuple[int, int]]] = [[] for _ in levels]

        def encoded() -> Iterator[bytes]:
            for level, tile in ordered_map.in_order(pieces(painted(), canvas), compressed, painting.threads):
                if level == 0:
                    yield tile
                else:
                    digests[level].update(tile)
                    sizes[level].append((waiting.tell(), waiting.write(tile)))

        def laid_by(level: int) -> Iterator[bytes]:
            for start, size in sizes[level]:
                waiting.seek(start)
                yield waiting.read(size)

        tiled = {"tile": (TILE, TILE)}
        _write_page(tiff, encoded(), canvas, levels[0], tags | tiled)
        for level in range(1, len(levels)):
            _write_page(tiff, laid_by(level), canvas, levels[level], tiled | {"subfiletype": 1})
    return tuple(digest.hexdigest() for digest in digests[1:])


def _write_page(
    tiff: tifffile.TiffWriter, encoded: Iterator[bytes], canvas: Canvas, size: tuple[int, int], tags: Tags
) -> None:
    width, height = size
    tiff.write(
        itertools.chain(encoded),  # tifffile would close a generator after the last piece that it needs
        shape=(height, width, canvas.bands),
        dtype=canvas.dtype,
        photometric="rgb",
        planarconfig="contig",
        extrasamples=["assocalpha" if canvas.associated else "unassalpha"] if canvas.bands == 4 else None,
        compression="adobe_deflate",  # the pieces come compressed
        predictor=True,
        metadata=None,
        **tags,
    )
    if next(encoded, None) is not None:  # lets the iterator come to its end, too
        raise ValueError("there are more pieces than the page has places")


def rows_per_strip(canvas: Canvas) -> int:
    """Return how many rows a strip of the file has, so that each strip of ours is a whole number of them."""
    rows = strip_rows(canvas.width, canvas.height)
    wanted = max(1, min(rows, _STRIP_BYTES // canvas.row_bytes))
    return wanted if rows == canvas.height else 1 << (wanted.bit_length() - 1)
