"""Time of `saek restore` in a new process and in a warm one.

    python benchmarks/cold.py [--megapixels 12] [--engine openvino torch] [--rounds 3]

Cold is a new process with everything that it imports and opens, from the command line to the finished file;
what the system keeps of files in memory stays there. Warm is `restore` in a process that has done it before.
The best of the rounds counts; processor time is that of all threads, and other programs disturb it less.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from restore import make_master


def cold(master: Path, folder: Path, engine: str, preset: str) -> dict[str, float]:
    """Run the command in a new process."""
    out = folder / "cold.tif"
    words = [
        "restore",
        str(master),
        "-o",
        str(out),
        "--preset",
        preset,
        "--device",
        "cpu",
        "--engine",
        engine,
    ]
    environment = os.environ | {"SAEK_HOME": str(folder / "home")}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "worker", *words], check=True, capture_output=True, env=environment)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    out.unlink()
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "busy": busy}


def warm(master: str, folder: str, engine: str, preset: str) -> None:
    """Restore a small master, then the one of the row; print its figures as JSON."""
    from restoration import Compute, Input, Output, recipe_for, restore
    from restoration.recipe import Preset

    small, recipe = Path(folder) / "small.tif", recipe_for(preset=Preset(preset))
    make_master(small, 0.3, 8)
    figures = {}
    for path in (small, Path(master)):
        began, busy = time.perf_counter(), time.process_time()
        made = restore(
            Input(path),
            recipe,
            Output(Path(folder) / f"warm-{path.name}"),
            Compute(engine=engine, device="cpu"),
        )
        figures = {"seconds": time.perf_counter() - began, "busy": time.process_time() - busy, **made.seconds}
        made.path.unlink()
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures))


def measured(kind: str, master: Path, folder: Path, engine: str, preset: str) -> dict[str, float]:
    """Measure one row once."""
    if kind == "cold":
        return cold(master, folder, engine, preset)
    words = [sys.executable, __file__, "--row", str(master), str(folder), engine, preset]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--engine", nargs="+", default=["openvino", "torch"])
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{options.megapixels:g} MP, 8 bits, TIFF to TIFF, {options.preset}")
    print("engine           seconds  processor s  peak MB  stages")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        master = folder / "master.tif"
        make_master(master, options.megapixels, 8)
        for engine in options.engine:
            for kind in ("cold", "warm"):
                rows = [measured(kind, master, folder, engine, options.preset) for _ in range(options.rounds)]
                best = min(rows, key=lambda row: row["busy"])
                stages = ", ".join(
                    f"{stage} {best[stage]:.2f}"
                    for stage in ("read", "color", "write", "verify")
                    if stage in best
                )
                peak = f"{best['peak_mb']:.0f}" if "peak_mb" in best else ""
                seconds = min(row["seconds"] for row in rows)
                print(
                    f"{engine:<9} {kind}  {seconds:>8.2f} {best['busy']:>12.2f} {peak:>8}  {stages}",
                    flush=True,
                )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--row"]:
        warm(*sys.argv[2:6])
    else:
        main()
