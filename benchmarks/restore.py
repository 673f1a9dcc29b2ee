"""Time and memory of one restoration, compared with a plain libvips copy of the same picture.

    python benchmarks/restore.py [--megapixels 12 100] [--bits 8 16] [--preset balanced] [--pyramid]
    python benchmarks/restore.py --megapixels 10 100 1000 --bits 8      (is time linear in pixels?)

Each figure is a process of its own, warm: it has restored a small picture before. Floors that cannot be
saved, in the same run:

copy    decode the master and write three bands of it: a libvips gray-to-RGB copy in the same format
codec   compress the samples of the derivative and decompress them: grain in three bands that differ is more
        to compress than the copy's three equal bands

`pixels` is a restoration without the network: all else that Saek does, and the memory that it takes for it.
Seconds are of the wall; CPU seconds, in brackets, are over all threads. Memory is the peak of the
proportional set size over the process and its children, sampled ten times a second.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from processes import proportional_bytes, tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from restoration import LoadedModel, OutputFormat, Recipe

Figures = dict[str, float]


class FlatChroma:
    """Stands in for the network."""

    name = "none"

    def predict(self, gray: np.ndarray) -> np.ndarray:
        """Return a chroma that follows the gray."""
        return np.stack((0.2 * (0.5 - gray), 0.2 * (gray - 0.4)), axis=1).astype(np.float32)


def make_master(path: Path, megapixels: float, bits: int) -> None:
    """Write a gray TIFF of photographic content: scikit-image's camera man, enlarged, with grain."""
    import pyvips
    from skimage import data

    small = pyvips.Image.new_from_array(data.camera())
    side = round((megapixels * 1e6) ** 0.5)
    large = small.resize(side / small.width, kernel="cubic").crop(0, 0, side, side)
    top = 2**bits - 1
    grained = (large + pyvips.Image.gaussnoise(side, side, mean=0, sigma=3)) * (top / 255)
    grained.cast("uchar" if bits == 8 else "ushort").tiffsave(
        str(path), compression="deflate", predictor="horizontal", bigtiff=side**2 * bits > 3.2e10
    )


def copy(master: Path, out: Path) -> None:
    """Decode, three equal bands, encode."""
    import pyvips

    gray = pyvips.Image.new_from_file(str(master), access="sequential", fail_on="warning")
    big = gray.width * gray.height * (6 if gray.format == "ushort" else 3) > 4e9
    gray.bandjoin([gray, gray]).tiffsave(str(out), compression="deflate", predictor="horizontal", bigtiff=big)


def codec(derivative: Path) -> "Callable[[], None]":
    """Return a function that runs only the codecs on the samples of a derivative, in one thread."""
    import imagecodecs
    import tifffile

    with tifffile.TiffFile(derivative) as tiff, derivative.open("rb") as file:
        page = tiff.pages.first
        pieces = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        some = pieces[:: max(1, len(pieces) // 200)]
        compressed = []
        for offset, size in some:
            file.seek(offset)
            compressed.append(file.read(size))
        level = 1 if page.bitspersample == 16 else 4
    raw = [imagecodecs.zlibng_decode(piece) for piece in compressed]
    share = len(pieces) / len(some)

    def run() -> None:
        began = time.process_time()
        for piece, encoded in zip(raw, compressed, strict=True):
            imagecodecs.deflate_encode(piece, level=level)
            imagecodecs.zlibng_decode(encoded, out=len(piece))
        spent = (time.process_time() - began) * share
        print(json.dumps({"seconds": spent, "cpu": spent}))

    return run


def model_and_recipe(
    kind: str, preset: str, *, pyramid: bool, output: "OutputFormat | None" = None
) -> "tuple[LoadedModel | None, Recipe]":
    """Return the default model, or one without a network."""
    from restoration import LoadedModel, OutputFormat, Preset, Recipe, recipe_for
    from restoration.generators.models import InputSpec

    if kind == "saek":
        return None, recipe_for(preset=Preset(preset), pyramid=pyramid)
    weights = "0" * 64
    return LoadedModel(FlatChroma(), InputSpec(256, 32), weights), Recipe(
        "none", weights, Preset.FAST, pyramid=pyramid, format=output or OutputFormat.TIFF
    )


def row(kind: str, master: Path, out: Path, preset: str, *, pyramid: bool) -> None:
    """Measure one figure and print it as JSON."""
    stages: Figures = {}
    if kind == "codec":
        codec(out)()
        return
    if kind == "copy":
        import pyvips  # noqa: F401  (not part of the measured time)

        began, cpu = time.perf_counter(), time.process_time()
        copy(master, out)
    else:
        from restoration import Compute, Input, Output, restore

        loaded, recipe = model_and_recipe(kind, preset, pyramid=pyramid)
        with tempfile.TemporaryDirectory(dir=out.parent) as folder:
            warm = Path(folder) / "warm.tif"
            make_master(warm, 0.05, 8)
            restore(Input(warm), recipe, Output(Path(folder) / "out.tif"), Compute(model=loaded))
        began, cpu = time.perf_counter(), time.process_time()
        stages = restore(Input(master), recipe, Output(out), Compute(model=loaded)).seconds
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"seconds": seconds, "cpu": spent, **{f"stage_{k}": v for k, v in stages.items()}}))


def measured(kind: str, master: Path, out: Path, options: argparse.Namespace) -> Figures:
    """Measure one figure in a new process, with its peak memory in MB."""
    words = [kind, str(master), str(out), options.preset, "pyramid" if options.pyramid else ""]
    process = subprocess.Popen([sys.executable, __file__, "--row", *words], stdout=subprocess.PIPE, text=True)
    peak = 0
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.1):
            peak = max(peak, sum(proportional_bytes(pid) for pid in tree(process.pid)))

    watching = threading.Thread(target=watch)
    watching.start()
    told, _ = process.communicate()
    ended.set()
    watching.join()
    if process.returncode:
        raise SystemExit(process.returncode)
    return {**json.loads(told.splitlines()[-1]), "peak_mb": peak / 1e6}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megapixels", type=float, nargs="+", default=[12, 100])
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 16], choices=[8, 16])
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--pyramid", action="store_true")
    parser.add_argument("--folder", type=Path, help="folder of the temporary pictures")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}; wall seconds (CPU seconds); peak MB")
    print("        master          copy  codec         pixels    MB           saek    MB  ratio  stages")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for megapixels in options.megapixels:
            for bits in options.bits:
                print(_line(Path(folder), megapixels, bits, options), flush=True)


def _line(folder: Path, megapixels: float, bits: int, options: argparse.Namespace) -> str:
    master = folder / "master.tif"
    make_master(master, megapixels, bits)
    floor = measured("copy", master, folder / "copy.tif", options)
    (folder / "copy.tif").unlink()
    pixels = measured("pixels", master, folder / "pixels.tif", options)
    codecs = measured("codec", master, folder / "pixels.tif", options)
    (folder / "pixels.tif").unlink()
    ours = measured("saek", master, folder / "saek.tif", options)
    (folder / "saek.tif").unlink()
    master.unlink()
    stages = ", ".join(f"{k[6:]} {v:.2f}" for k, v in ours.items() if k.startswith("stage_"))
    return (
        f"{megapixels:>6g} MP {bits:>2} b {_seconds(floor)} {codecs['cpu']:>6.2f} {_seconds(pixels)} "
        f"{pixels['peak_mb']:>5.0f} {_seconds(ours)} {ours['peak_mb']:>5.0f} "
        f"{ours['seconds'] / floor['seconds']:>6.2f}  {stages}"
    )


def _seconds(figures: Figures) -> str:
    return f"{figures['seconds']:>6.2f} ({figures['cpu']:>5.1f})"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--row"]:
        row(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5], pyramid=bool(sys.argv[6]))
    else:
        main()
