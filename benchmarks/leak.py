"""Memory growth of a worker child over many scans.

    python benchmarks/leak.py [--scans 350] [--every 50] [--preset fast]

A station of its own home (SQLite, embedded broker, one child of one thread) takes in small scans, gray of 8
and 16 bits and RGB prints, TIFF and PNG, each of its own content. At regular counts of finished scans it
samples the resident memory of the child that restores, and of the process that reads for it.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from processes import command, resident_bytes, tree

SETTINGS = """
settle_seconds = 0.3
min_free_bytes = 1_000_000
concurrency = 1
threads = 1
log_level = "WARNING"
"""


def make_scan(number: int, inbox: Path) -> None:
    """Write a scan of some 0.15 megapixels; every number gives other bytes and another size."""
    import tifffile
    from PIL import Image
    from skimage import data

    gray = np.ascontiguousarray(np.roll(data.camera(), 13 * number, axis=1)[: 300 + number % 90, :400])
    gray[0, :16] = [(number >> bit & 1) * 255 for bit in range(16)]
    match number % 4:
        case 0:
            tifffile.imwrite(inbox / f"{number:04}.tif", gray)
        case 1:
            tifffile.imwrite(inbox / f"{number:04}.tif", gray.astype(np.uint16) * 257)
        case 2:
            Image.fromarray(gray).save(inbox / f"{number:04}.png")
        case _:
            Image.fromarray(np.dstack([gray] * 3)).save(inbox / f"{number:04}.png")


def done(home: Path) -> int:
    """Return how many scans have a derivative."""
    return sum(1 for path in (home / "outbox").glob("*.tif") if not path.name.startswith("."))


def resident(word: str, below: int) -> tuple[int, int] | None:
    """Return id and resident bytes of the largest process below another whose command has the word."""
    found = [(resident_bytes(pid), pid) for pid in tree(below) if pid != below and word in command(pid)]
    return (max(found)[1], max(found)[0]) if found else None


def run(scans: int, every: int, preset: str, home: Path) -> list[tuple[int, int, float, float]]:
    """Return (scans done, child process id, MB of the child, MB of the reader) of each sample."""
    (home / "saek.toml").write_text(SETTINGS + f'preset = "{preset}"\n')
    (home / "inbox").mkdir()
    for number in range(scans):
        make_scan(number, home / "inbox")
    with (home / "station.log").open("wb") as sink:
        station = subprocess.Popen(
            [sys.executable, "-m", "worker", "station"],
            env=os.environ | {"SAEK_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )
    rows: list[tuple[int, int, float, float]] = []
    try:
        while (count := done(home)) < scans or not rows or rows[-1][0] < scans:
            if station.poll() is not None:
                sys.exit((home / "station.log").read_text()[-4000:])
            if count >= min(scans, every * (len(rows) + 1)):
                child, reader = resident("spawn_main", station.pid), resident("confined", station.pid)
                if child is not None:
                    row = (count, child[0], child[1] / 1e6, reader[1] / 1e6 if reader else 0.0)
                    rows.append(row)
                    print(f"{row[0]:>6}{row[1]:>10}{row[2]:>12.1f}{row[3]:>12.1f}", flush=True)
            time.sleep(0.1)
    finally:
        station.send_signal(signal.SIGTERM)
        station.wait(60)
    return rows


def main() -> int:
    """Print the table; exit with 1 if the child grew by more than 5 % after the first sample."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--scans", type=int, default=350)
    words.add_argument("--every", type=int, default=50)
    words.add_argument("--preset", default="fast")
    asked = words.parse_args()
    print(f"{'scans':>6}{'child':>10}{'child, MB':>12}{'reader, MB':>12}")
    with tempfile.TemporaryDirectory(prefix="saek-leak-", ignore_cleanup_errors=True) as folder:
        rows = run(asked.scans, asked.every, asked.preset, Path(folder))
    grown = rows[-1][2] / rows[0][2] - 1
    per_scan = (rows[-1][2] - rows[0][2]) * 1e3 / max(1, rows[-1][0] - rows[0][0])
    print(f"growth after the first {rows[0][0]}: {grown:+.1%}, {per_scan:+.1f} kB a scan")
    return 1 if grown > 0.05 or len({row[1] for row in rows}) > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
