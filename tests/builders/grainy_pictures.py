"""Grainy pictures, and their samples as the second decoder reads them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from restoration import identify
from restoration.masters import second_decoder

Array = np.ndarray


def second_decoder_samples(path: Path, *, strict: bool = False, **facts: Any) -> Array:
    """Return the samples of a file whose facts are changed by `facts`."""
    changed = replace(identify(path), **facts)
    found = list(second_decoder.read_rows(path, changed, 2, strict=strict))
    tops = np.cumsum([0, *(len(samples) for _, samples in found)])
    assert [top for top, _ in found] == list(tops[:-1])
    return np.concatenate([samples for _, samples in found])


def grain(*shape: int, bits: int = 8) -> Array:
    """Return a gradient with grain, so that no two rows or bands are alike."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    base = (rows + columns) / (shape[0] + shape[1])
    base = base.reshape(base.shape + (1,) * (len(shape) - 2)) * (2**bits - 1)
    noise = np.random.default_rng(5).integers(-20, 21, shape)
    return np.clip(base + noise, 0, 2**bits - 1).astype(np.uint16 if bits == 16 else np.uint8)


def row_bytes(row: Array, bits: int) -> bytes:
    """Return the samples of a row as PNG and TIFF pack them, big-endian."""
    if bits >= 8:
        return row.astype(">u2" if bits == 16 else np.uint8).tobytes()
    text = "".join(f"{value:0{bits}b}" for value in row)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))
