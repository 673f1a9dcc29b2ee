"""Patched files, and interrupts while they are read."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from restoration.masters.patched_file import PatchedFile

READING = """
import signal, sys
from pathlib import Path
from restoration.masters.strips import Master
from restoration.masters.identify import identify

signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run where it is ignored
path = Path(sys.argv[1])
facts = identify(path)
print("reading", flush=True)
while True:
    for _ in Master(path, facts, path.parent).strips():
        pass
"""


PARTS = st.one_of(st.binary(max_size=9), st.tuples(st.integers(0, 60), st.integers(0, 40)))
STEPS = st.tuples(st.sampled_from([0, 1, 2]), st.integers(-99, 99), st.integers(0, 50))


@given(parts=st.lists(PARTS, max_size=8), steps=st.lists(STEPS, max_size=20))
def test_a_patched_file_reads_like_its_bytes(
    parts: list[bytes | tuple[int, int]],
    steps: list[tuple[int, int, int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    base = bytes(range(100))
    path = tmp_path_factory.mktemp("pieces") / "file"
    path.write_bytes(base)
    whole = b"".join(part if isinstance(part, bytes) else base[part[0] : sum(part)] for part in parts)
    plain = io.BytesIO(whole)
    with path.open("rb") as file:
        splice = PatchedFile(file, parts)
    assert splice.size == len(whole)
    for whence, offset, size in steps:
        start = {0: 0, 1: plain.tell(), 2: len(whole)}[whence] + offset
        if start < 0:
            assert splice.seek(offset, whence) == -1
            continue
        assert splice.seek(offset, whence) == plain.seek(start)
        read = b""
        while len(read) < size and (part := splice.read(size - len(read))):
            read += part
        assert read == plain.read(size)


@pytest.mark.parametrize("wait", [0.0, 0.05, 0.11, 0.17])
def test_an_interrupt_while_reading_is_not_taken_for_damage(tmp_path: Path, wait: float) -> None:
    path = tmp_path / "a.tif"
    rng = np.random.default_rng(1)
    tifffile.imwrite(path, rng.integers(0, 255, (4000, 3000), np.uint8), rowsperstrip=2, compression="lzw")
    process = subprocess.Popen(
        [sys.executable, "-c", READING, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(wait)
    os.kill(process.pid, signal.SIGINT)
    try:
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "KeyboardInterrupt" in said
    assert "cffi" not in said
    assert "cut off" not in said
