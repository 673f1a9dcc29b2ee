"""Engines: run a generator with OpenVINO or torch on the CPU or CUDA.

`selection` decides which engine and device are used; what computes is imported only when an engine is opened.
"""

from __future__ import annotations

import os
import sys

from restoration.generators.engines.engine import Engine, InstanceEngine
from restoration.generators.engines.selection import describe_engine, open_engine

# Read when torch loads its OpenMP. Threads that spin while they wait made a window take 2 s instead of 0.17 s
# as soon as another process wanted one of two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# `import openvino` sends usage statistics to a service unless this package cannot be imported. The work of an
# archive is private.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

__all__ = ["Engine", "InstanceEngine", "describe_engine", "open_engine"]
