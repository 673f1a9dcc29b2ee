"""Time of a window and of a whole picture in each engine, compared with the arithmetic limit of the machine.

    python benchmarks/engine.py [--model archive-3] [--threads 2] [--rounds 10]

The floor is the time in which the same processor, on the same threads and in the same run, does as many
floating point operations in a matrix multiplication of 1536 x 1536 (the faster of numpy's and torch's). A
network cannot reach it: depthwise convolutions do little arithmetic for the memory that they move, so the
bytes that layers read and write are reported, too, with the time that a plain copy takes for as many. Rounds
of all rows and of the floor alternate, each begun by a run that does not count: the threads of the library
before it spin for some milliseconds longer and would take the cores from it. The best of each counts, as wall
time and as processor time, which other programs disturb less. CUDA has a floor of its own, see
benchmarks/windows.py.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SIDES = (256, 512)
_GEMM_SIDE = 1536
_COPY_BYTES = 1 << 27


@dataclass(slots=True)
class Row:
    """A measured function: its best wall time and CPU time, in seconds."""

    name: str
    run: Callable[[], object]
    wall: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    def time(self) -> None:
        """Run once to warm caches and let other threads sleep, then three times."""
        self.run()
        for _ in range(3):
            wall, busy = time.perf_counter(), time.process_time()
            self.run()
            self.wall.append(time.perf_counter() - wall)
            self.busy.append(time.process_time() - busy)


@dataclass(frozen=True, slots=True)
class Work:
    """Work of a network for one picture."""

    dense: float
    """Floating point operations of direct convolutions."""
    depthwise: float
    moved: float
    """Bytes that its layers read and write, weights included."""


def work_of(graph: object, side: int) -> Work:
    """Count the work of a graph for one picture of that side."""
    import numpy as np
    from openvino import PartialShape

    graph.reshape(PartialShape([1, 1, side, side]))
    dense = depthwise = moved = 0.0
    for node in graph.get_ops():
        kind = node.get_type_name()
        if kind in {"Constant", "Parameter", "Result"}:
            continue
        shapes = [list(port.get_shape()) for port in node.inputs()] + [list(node.output(0).get_shape())]
        moved += 4 * sum(float(np.prod(shape)) for shape in shapes)
        if kind == "ConvolutionBackpropData":
            dense += 2 * np.prod(shapes[0]) * np.prod(shapes[1][1:])
        elif kind == "Convolution":
            dense += 2 * np.prod(shapes[-1]) * np.prod(shapes[1][1:])
        elif kind == "GroupConvolution":
            depthwise += 2 * np.prod(shapes[-1]) * np.prod(shapes[1][2:])
    return Work(dense, depthwise, moved)


def openvino_row(card: object, precision: str, threads: int) -> Callable[[object], object]:
    """Return a function that runs the graph in a precision that the engine never uses."""
    import openvino

    from restoration.generators.engines.graphs import graph_of
    from restoration.generators.models import load_arrays

    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    graph = graph_of(card.architecture, load_arrays(card))
    request = openvino.Core().compile_model(graph, "CPU", options).create_infer_request()
    return lambda gray: request.infer([gray[:, None]])


def floors(threads: int) -> dict[str, Row]:
    """Return the functions that measure the limits: multiplications and a copy."""
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    generator = np.random.default_rng(0)
    a, b = (generator.random((_GEMM_SIDE, _GEMM_SIDE), dtype=np.float32) for _ in range(2))
    out = np.empty_like(a)
    x, y = torch.from_numpy(a), torch.from_numpy(b)
    source = np.ones(_COPY_BYTES // 4, np.float32)
    target = np.empty_like(source)
    return {
        "numpy": Row("numpy", lambda: np.matmul(a, b, out=out)),
        "torch": Row("torch", lambda: torch.mm(x, y)),
        "copy": Row("copy", lambda: np.copyto(target, source)),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    for library in ("OMP", "OPENBLAS", "MKL"):  # read when the libraries load
        os.environ[f"{library}_NUM_THREADS"] = str(options.threads)

    import restoration.generators.engines  # isort: skip  # noqa: F401  (before torch: it sets how threads wait)
    import numpy as np

    from restoration import default_model, model_card
    from restoration.generators.engines import describe_engine, open_engine
    from restoration.generators.engines.graphs import graph_of
    from restoration.generators.models import load_arrays

    card = model_card(options.model) if options.model else default_model()
    works = {side: work_of(graph_of(card.architecture, load_arrays(card)), side) for side in SIDES}
    engines = {
        "openvino float32": open_engine(card, "cpu", options.threads, "openvino").predict,
        "openvino bfloat16 *": openvino_row(card, "bf16", options.threads),
        "torch float32": open_engine(card, "cpu", options.threads, "torch").predict,
    }
    bases = floors(options.threads)
    rows: dict[tuple[str, int], Row] = {}
    for name, run in engines.items():
        for side in SIDES:
            gray = np.random.default_rng(side).random((1, side, side), dtype=np.float32)
            rows[name, side] = Row(name, lambda run=run, gray=gray: run(gray))
    for turn in range(options.rounds + 2):
        for row in (*bases.values(), *rows.values()):
            row.time()
            if turn < 2:  # warm-up
                row.wall.clear(), row.busy.clear()

    flop = 2.0 * _GEMM_SIDE**3
    wall = flop / min(min(bases[name].wall) for name in ("numpy", "torch"))
    busy = flop / min(min(bases[name].busy) for name in ("numpy", "torch"))
    copied = 2 * _COPY_BYTES / min(bases["copy"].wall)
    print(f"model {card.name}, {options.threads} threads, {describe_engine('openvino')}")
    print(
        f"matrix multiplication {wall / 1e9:.0f} GFLOP/s ({busy / 1e9:.0f} for a second of one processor), "
        f"copy {copied / 1e9:.1f} GB/s"
    )
    for side, work in works.items():
        total = work.dense + work.depthwise
        print(
            f"{side:>4} x {side}: {total / 1e9:.2f} GFLOP, {work.depthwise / total:.1%} of them depthwise: "
            f"floor {1e3 * total / wall:.1f} ms; {work.moved / 1e6:.0f} MB moved: "
            f"{1e3 * work.moved / copied:.1f} ms at the pace of a copy"
        )
    print("\nengine                 side   best ms  x floor   processor ms  x floor")
    for (name, side), row in rows.items():
        total = works[side].dense + works[side].depthwise
        print(
            f"{name:<20} {side:>6} {1e3 * min(row.wall):>9.1f} {min(row.wall) * wall / total:>8.2f} "
            f"{1e3 * min(row.busy):>14.1f} {min(row.busy) * busy / total:>8.2f}"
        )
    print("\n* fails the conformance test, so it is never used")


if __name__ == "__main__":
    main()
