"""TIFF writer: strip by strip or tile by tile; returns the checksums that the finished file must have."""

import hashlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import tifffile

from restoration.arrays import ordered_map
from restoration.arrays.buffer_pool import BufferPool
from restoration.derivatives.compose import (
    ComposedStrip,
    Composition,
    ExpectedSamples,
    ImageSpec,
    SampleDigest,
    unchanged,
)
from restoration.derivatives.pyramid import TILE_SIDE, Tile, level_sizes, pyramid_tiles
from restoration.derivatives.verified_deflate import compress, verify_round_trip
from restoration.masters.strips import strip_rows

CLASSIC_BYTES: Final = 4_000_000_000
"""Uncompressed samples beyond which offsets of 32 bits might not suffice."""

_STRIP_BYTES: Final = 1 << 18


Tags = dict[str, Any]
"""Keywords of `tifffile.TiffWriter.write` for the first page."""


def needs_bigtiff(spec: ImageSpec, *, pyramid: bool) -> bool:
    """Return whether the file needs offsets of 64 bits, by the uncompressed size of its samples."""
    levels = level_sizes(spec.width, spec.height) if pyramid else ((spec.width, spec.height),)
    pixels = sum(width * height for width, height in levels)
    return pixels * spec.bands * spec.bits // 8 > CLASSIC_BYTES


def write(path: Path, composition: Composition, tags: Tags, *, pyramid: bool) -> ExpectedSamples:
    """Compose and write with `tags`. Raises OSError, LumaMismatch.

    A pyramid has tiles of 256 and, as further pages, copies of half the size each down to one tile. Their
    tiles are buffered in a file without a name beside `path`. The first page has the same pixels either way.
    """
    samples = SampleDigest()
    with tifffile.TiffWriter(
        path, bigtiff=needs_bigtiff(composition.spec, pyramid=pyramid), byteorder="<"
    ) as file:
        if pyramid:
            return samples.expected(_write_tiles(file, path.parent, samples, composition, tags))
        _write_strips(file, samples, composition, tags)
        return samples.expected()


def _write_strips(
    tiff: tifffile.TiffWriter, samples: SampleDigest, composition: Composition, tags: Tags
) -> None:
    spec = composition.spec
    rows = rows_per_strip(spec)

    def compressed(composed: ComposedStrip, buffers: BufferPool) -> tuple[ComposedStrip, list[bytes]]:
        cuts = [slice(top, top + rows) for top in range(0, len(composed.samples), rows)]
        return composed, [compress(composed.samples[cut], buffers) for cut in cuts]

    def encoded() -> Iterator[bytes]:
        for composed, parts in composition.each(compressed):
            samples.add(composed)
            yield from parts

    _write_page(tiff, encoded(), spec, (spec.width, spec.height), tags | {"rowsperstrip": rows})


def _write_tiles(
    tiff: tifffile.TiffWriter, folder: Path, samples: SampleDigest, composition: Composition, tags: Tags
) -> tuple[str, ...]:
    spec = composition.spec
    levels = level_sizes(spec.width, spec.height)
    digests = [hashlib.sha256() for _ in levels]

    def composed() -> Iterator[ComposedStrip]:
        for one in composition.each(unchanged):
            samples.add(one)
            yield one

    def compressed(piece: Tile, buffers: BufferPool) -> tuple[int, bytes]:
        compressed = compress(piece.samples, buffers)
        if piece.level:  # the picture itself is decoded again when it is finished
            verify_round_trip(compressed, piece.samples, buffers)
        return piece.level, compressed

    with tempfile.TemporaryFile(dir=folder) as waiting:
        sizes: list[list[tuple[int, int]]] = [[] for _ in levels]

        def encoded() -> Iterator[bytes]:
            for level, tile in ordered_map.in_order(
                pyramid_tiles(composed(), spec), compressed, composition.threads
            ):
                if level == 0:
                    yield tile
                else:
                    digests[level].update(tile)
                    sizes[level].append((waiting.tell(), waiting.write(tile)))

        def laid_by(level: int) -> Iterator[bytes]:
            for start, size in sizes[level]:
                waiting.seek(start)
                yield waiting.read(size)

        tiled = {"tile": (TILE_SIDE, TILE_SIDE)}
        _write_page(tiff, encoded(), spec, levels[0], tags | tiled)
        for level in range(1, len(levels)):
            _write_page(tiff, laid_by(level), spec, levels[level], tiled | {"subfiletype": 1})
    return tuple(digest.hexdigest() for digest in digests[1:])


def _write_page(
    tiff: tifffile.TiffWriter, encoded: Iterator[bytes], spec: ImageSpec, size: tuple[int, int], tags: Tags
) -> None:
    width, height = size
    tiff.write(
        itertools.chain(encoded),  # tifffile would close a generator after the last piece that it needs
        shape=(height, width, spec.bands),
        dtype=spec.dtype,
        photometric="rgb",
        planarconfig="contig",
        extrasamples=["assocalpha" if spec.associated else "unassalpha"] if spec.bands == 4 else None,
        compression="adobe_deflate",  # the pieces come compressed
        predictor=True,
        metadata=None,
        **tags,
    )
    if next(encoded, None) is not None:  # lets the iterator finish, too
        raise ValueError("there are more pieces than the page has places")


def rows_per_strip(spec: ImageSpec) -> int:
    """Return the rows of a strip of the file, a divisor of the rows that are composed at once."""
    rows = strip_rows(spec.width, spec.height)
    wanted = max(1, min(rows, _STRIP_BYTES // spec.row_bytes))
    return wanted if rows == spec.height else 1 << (wanted.bit_length() - 1)
