"""Peak memory of pictures of extreme shapes, compared with one of an ordinary shape.

    python benchmarks/shapes.py [--shapes 64x64 1x200000 ...] [--preset balanced] [--confidence]

Each is a separate `saek restore`. Memory is the largest sum of the resident sets of the process and its
children, sampled a hundred times a second; shared pages count twice. The first rows, 64 x 64 and 12
megapixels, show the share of libraries, model, and strips of the picture.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from processes import resident_bytes, tree

SHAPES = (
    "64x64",
    "3000x4000",
    "1x65537",
    "65537x1",
    "1x200000",
    "200000x1",
    "3x50000",
    "100x60000",
    "60000x100",
    "400x8000",
    "2000x100000",
)


def make_master(path: Path, height: int, width: int) -> None:
    """Write a gray TIFF: the camera man of scikit-image at half scale, mirrored to the full size."""
    import tifffile
    from skimage import data

    camera = data.camera()
    rows, columns = (511 - np.abs(np.arange(side) // 2 % 1022 - 511) for side in (height, width))
    tifffile.imwrite(path, camera[rows][:, columns], compression="zlib")


def measured(words: list[str]) -> tuple[int, float, str]:
    """Run a command; return its peak resident bytes, its seconds and its output."""
    began, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as said:
        running = subprocess.Popen(words, stdout=said, stderr=subprocess.DEVNULL)
        while running.poll() is None:
            peak = max(peak, sum(resident_bytes(pid) for pid in tree(running.pid)))
            time.sleep(0.01)
        said.seek(0)
        return peak, time.perf_counter() - began, said.read()


def main() -> None:
    """Measure all shapes and print a table."""
    parser = argparse.ArgumentParser(description="Memory that pictures of extreme shapes take.")
    parser.add_argument("--shapes", nargs="+", default=SHAPES, metavar="HEIGHTxWIDTH")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--confidence", action="store_true", help="also write the confidence map")
    chosen = parser.parse_args()
    print(f"{'height x width':>16}  windows  peak MB  seconds", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for shape in chosen.shapes:
            height, width = (int(side) for side in shape.split("x"))
            master, out = Path(folder) / f"{shape}.tif", Path(folder) / f"{shape}-color.tif"
            make_master(master, height, width)
            words = [sys.executable, "-m", "worker", "restore", str(master), "-o", str(out), "--json"]
            words += ["--preset", chosen.preset, *(["--confidence"] if chosen.confidence else [])]
            peak, seconds, said = measured(words)
            (told,) = json.loads(said)["files"]
            if told["state"] != "done":
                print(f"{shape:>16}  {told['state']}: {told.get('error')}")
                continue
            windows = told["restoration"]["windows"]
            print(f"{shape:>16}  {windows:7}  {peak / 1e6:7.0f}  {seconds:7.1f}", flush=True)


if __name__ == "__main__":
    main()
