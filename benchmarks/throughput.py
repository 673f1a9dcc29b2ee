"""Scans per second of processes that run side by side, compared with the limit of the machine.

    python benchmarks/throughput.py [--megapixels 12] [--processes 1 2 3] [--scans 12] [--device auto]

Each process works as a child of a worker: one model, one scan at a time, TIFF to TIFF. While one decodes or
compresses, the network of another computes, so with enough processes the slowest resource sets the rate. The
limit is that rate: cores divided by the CPU seconds of a scan, on CUDA also the seconds of its device, both
measured with one process. Derivatives are flushed to the disk of the temporary folder; if that is slow, point
TMPDIR to a folder in memory.
"""

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from restore import make_master
from windows import DeviceLoad

Figures = dict[str, float]


class Watched:
    """An engine that counts its seconds, transfers included."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def predict(self, gray: np.ndarray) -> np.ndarray:
        """Compute and count the time."""
        began = time.perf_counter()
        made = self._engine.predict(gray)
        self.seconds += time.perf_counter() - began
        return made


def work(master: Path, folder: Path, count: int, *, device: str, threads: int, preset: str) -> None:
    """Warm up, report, wait for the start signal, restore the master repeatedly; print the figures."""
    from restoration import Compute, Input, Output, default_model, load_model, recipe_for, restore
    from restoration.recipe import Preset

    model = load_model(default_model(), device, threads)
    engine = Watched(model.engine)
    model = dataclasses.replace(model, engine=engine)
    recipe = recipe_for(preset=Preset(preset))
    restore(Input(master), recipe, Output(folder / "warm.tif"), Compute(model=model))
    print(model.engine.name, flush=True)
    sys.stdin.readline()
    busy, engine.seconds = time.process_time(), 0.0
    for number in range(count):
        made = restore(Input(master), recipe, Output(folder / f"{number}.tif"), Compute(model=model))
        made.path.unlink()
    print(json.dumps({"busy": time.process_time() - busy, "network": engine.seconds}))


def side_by_side(processes: int, master: Path, options: argparse.Namespace) -> tuple[Figures, str, str]:
    """Return the figures of all processes, the load of a CUDA device, and the engine."""
    cores = len(os.sched_getaffinity(0))
    threads = max(1, cores // processes)
    each = max(1, options.scans // processes)
    how = [options.device, str(threads), options.preset]
    folders = [Path(tempfile.mkdtemp(dir=master.parent)) for _ in range(processes)]
    workers = [
        subprocess.Popen(
            [sys.executable, __file__, "--work", str(master), str(folder), str(each), *how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        )
        for folder in folders
    ]
    engines = [worker.stdout.readline().strip() for worker in workers if worker.stdout]
    load, began = DeviceLoad("/cuda" in engines[0]), time.perf_counter()
    for worker in workers:
        if worker.stdin:
            worker.stdin.write("go\n")
            worker.stdin.flush()
    told = [json.loads(worker.communicate()[0].splitlines()[-1]) for worker in workers]
    seconds = time.perf_counter() - began
    for folder in folders:
        shutil.rmtree(folder)
    total = {name: sum(one[name] for one in told) for name in ("busy", "network")}
    return {"seconds": seconds, "scans": float(each * processes), **total}, load.told(), engines[0]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--scans", type=int, default=12)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--preset", default="balanced")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        master = Path(folder) / "master.tif"
        make_master(master, options.megapixels, 8)
        alone, _, engine = side_by_side(1, master, options)
        bounds = [cores * alone["scans"] / alone["busy"]]
        if "/cuda" in engine:
            bounds.append(alone["scans"] / alone["network"])
        print(f"{options.megapixels:g} MP, 8 bits, {engine}, {cores} cores, load {os.getloadavg()[0]:.1f}")
        parts = zip(("processors", "network"), bounds, strict=False)
        takes = ", ".join(f"{1 / bound:.3f} s {name}" for name, bound in parts)
        print(f"bound {min(bounds):.2f} scans a second; a scan takes {takes}\n")
        print("processes  scans/s  of bound  processors busy  device busy")
        for processes in options.processes:
            done, device, _ = side_by_side(processes, master, options)
            pace = done["scans"] / done["seconds"]
            busy = done["busy"] / done["seconds"] / cores
            print(f"{processes:>9} {pace:>8.2f} {pace / min(bounds):>9.0%} {busy:>16.0%} {device:>12}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        given, into, number, device, threads, preset = sys.argv[2:]
        work(Path(given), Path(into), int(number), device=device, threads=int(threads), preset=preset)
    else:
        main()
