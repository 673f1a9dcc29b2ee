"""The device that trains: its choice, its name, and how busy its driver says it is."""

from __future__ import annotations

import platform
import subprocess
import threading
from collections.abc import Sequence
from types import TracebackType

import torch


def training_device(threads: int | None) -> torch.device:
    """Return the CUDA device, or the CPU where there is none, and set up torch for it.

    `threads` are those of the CPU; None leaves torch's default.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.benchmark = True
    return torch.device("cuda")


def machine() -> str:
    """Name the hardware that computes: the CUDA device, or the CPU's architecture and threads."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} CPU ({capability}), {torch.get_num_threads()} threads"


def watch_device(device: torch.device) -> DeviceLoad:
    """Measure the load of a CUDA device; there are no readings on a CPU, or without `nvidia-smi`."""
    if device.type != "cuda":
        return DeviceLoad(None)
    uuid = torch.cuda.get_device_properties(device).uuid
    query = ("--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop=1")
    return DeviceLoad(("nvidia-smi", f"--id=GPU-{uuid}", *query))


class DeviceLoad:
    """Reads the percentage of busy time that `command` prints every second."""

    def __init__(self, command: Sequence[str] | None) -> None:
        self._command = command
        self._readings: list[float] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> DeviceLoad:
        """Start the program, if there is one."""
        if self._command is not None:
            try:
                self._process = subprocess.Popen(
                    self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
                )
            except OSError:
                return self
            self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the program."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._reader.join()

    def since_last(self) -> float | None:
        """Mean share of busy time in [0, 1] since the last call; None if there were no readings."""
        readings, self._readings = self._readings, []
        return sum(readings) / (100.0 * len(readings)) if readings else None

    def _read(self) -> None:
        if self._process is None or self._process.stdout is None:
            return
        with self._process.stdout as lines:
            for line in lines:
                if line.strip().isdigit():  # a MIG instance prints "[N/A]"
                    self._readings.append(float(line))
