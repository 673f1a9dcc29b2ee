"""Windows per second of an engine in batches, compared with matrix multiplication on its device.

    python benchmarks/windows.py [--device auto] [--engine auto] [--batches 1 8 32 128]

Windows are copied from and to main memory, as in production. The lower limit is the time of as many
floating point operations in a matrix multiplication of the same precision on the same device, in the same
run. The load of a CUDA device is read from `nvidia-smi` ten times a second.
"""

import argparse
import os
import shutil
import subprocess
import time
from collections.abc import Callable

from engine import work_of

_WINDOW = 256
_SECONDS = 2.0


def best(run: Callable[[], object]) -> float:
    """Return the shortest time of a run over some seconds, after two warm-up runs."""
    run(), run()
    times: list[float] = []
    over = time.perf_counter() + _SECONDS
    while time.perf_counter() < over or len(times) < 3:
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


class DeviceLoad:
    """Sample the load of a CUDA device with `nvidia-smi`; None without a device."""

    def __init__(self, cuda: bool) -> None:
        self._asked: subprocess.Popen[str] | None = None
        program = shutil.which("nvidia-smi")
        if cuda and program:
            self._asked = subprocess.Popen(
                [program, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "100"],
                stdout=subprocess.PIPE,
                text=True,
            )

    def told(self) -> str:
        """Stop sampling; return the mean load in percent."""
        if self._asked is None:
            return "-"
        self._asked.terminate()
        lines, _ = self._asked.communicate()
        shares = [float(line) for line in lines.splitlines() if line.strip().isdigit()]
        return f"{sum(shares) / len(shares):.0f}%" if shares else "-"


def multiplied(device: str, *, half: bool) -> float:
    """Return the operations per second of a matrix multiplication by torch on the device."""
    import torch

    side = 8192 if device == "cuda" else 1536
    x = torch.rand(side, side, device=device, dtype=torch.float16 if half else torch.float32)

    def run() -> None:
        torch.mm(x, x)
        if device == "cuda":
            torch.cuda.synchronize()

    return 2.0 * side**3 / best(run)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--engine", default="auto", choices=["auto", "torch", "openvino"])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32, 128])
    options = parser.parse_args()

    import restoration.generators.engines  # isort: skip  # noqa: F401  (before torch: it sets how threads wait)
    import numpy as np
    import torch

    from restoration import default_model, model_card
    from restoration.generators.engines import open_engine
    from restoration.generators.engines.graphs import graph_of
    from restoration.generators.models import load_arrays

    torch.set_num_threads(options.threads)
    card = model_card(options.model) if options.model else default_model()
    engine = open_engine(card, options.device, options.threads, options.engine)
    cuda = "/cuda" in engine.name
    work = work_of(graph_of(card.architecture, load_arrays(card)), _WINDOW)
    each = work.dense + work.depthwise
    pace = multiplied("cuda" if cuda else "cpu", half="float16" in engine.name)
    print(f"{engine.name}; {each / 1e9:.2f} GFLOP a window; matrix multiplication {pace / 1e9:,.0f} GFLOP/s")
    print(f"floor {pace / each:,.1f} windows a second\n")
    print("at once  windows a second  ms a window  x floor  device busy")
    for count in options.batches:
        windows = np.random.default_rng(count).random((count, _WINDOW, _WINDOW), dtype=np.float32)
        load = DeviceLoad(cuda)
        seconds = best(lambda windows=windows: engine.predict(windows)) / count
        print(
            f"{count:>7} {1 / seconds:>17,.1f} {1e3 * seconds:>12.2f} {seconds * pace / each:>8.2f} "
            f"{load.told():>12}"
        )


if __name__ == "__main__":
    main()
