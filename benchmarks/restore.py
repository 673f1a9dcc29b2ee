"""How long one restoration takes, and how much memory, beside a plain copy of the same picture by libvips.

    python benchmarks/restore.py [--megapixels 3 12] [--bits 8 16] [--preset balanced]

Each row is a process of its own, so that the peak memory is that of the row. The floor cannot be saved:
reading the master and writing three bands, as a libvips gray-to-RGB copy does.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


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
        str(path), compression="deflate", predictor="horizontal"
    )


def copy(master: Path, out: Path) -> None:
    """The floor: decode, three equal bands, encode."""
    import pyvips

    gray = pyvips.Image.new_from_file(str(master), access="sequential", fail_on="warning")
    gray.bandjoin([gray, gray]).tiffsave(str(out), compression="deflate", predictor="horizontal")


def restored(master: Path, out: Path, preset: str) -> dict[str, float]:
    """Restore and return the seconds by stage."""
    from restoration import recipe_for, restore
    from restoration.recipe import Preset

    return restore(master, recipe_for(preset=Preset(preset)), out, device="cpu").seconds


def measure(words: list[str]) -> dict[str, float]:
    """Run one row in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--row", *words], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def row(kind: str, master: str, preset: str) -> None:
    """Do one row and print its figures as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.tif"
        stages: dict[str, float] = {}
        if kind == "copy":
            import pyvips  # noqa: F401  (not part of the measured time)

            began = time.perf_counter()
            copy(Path(master), out)
        else:
            warm = Path(folder) / "warm.tif"
            make_master(warm, 0.05, 8)
            restored(warm, Path(folder) / "warm-out.tif", preset)
            began = time.perf_counter()
            stages = restored(Path(master), out, preset)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak, **{f"stage_{k}": v for k, v in stages.items()}}))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[3, 12])
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 16], choices=[8, 16])
    parser.add_argument("--preset", default="balanced")
    options = parser.parse_args()
    print("        master   copy s   saek s  ratio  copy MB  saek MB  stages")
    with tempfile.TemporaryDirectory() as folder:
        for megapixels in options.megapixels:
            for bits in options.bits:
                master = Path(folder) / f"{megapixels:g}-{bits}.tif"
                make_master(master, megapixels, bits)
                floor = measure(["copy", str(master), options.preset])
                ours = measure(["saek", str(master), options.preset])
                stages = ", ".join(f"{k[6:]} {v:.2f}" for k, v in ours.items() if k.startswith("stage_"))
                ratio = ours["seconds"] / floor["seconds"]
                print(
                    f"{megapixels:>6g} MP {bits:>2} b "
                    f"{floor['seconds']:>8.2f} {ours['seconds']:>8.2f} {ratio:>6.1f} "
                    f"{floor['peak_mb']:>8.0f} {ours['peak_mb']:>8.0f}  {stages}",
                    flush=True,
                )
                master.unlink()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--row"]:
        row(*sys.argv[2:5])
    else:
        main()
