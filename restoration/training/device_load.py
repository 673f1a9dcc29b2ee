"""How busy the CUDA device is, in the words of its driver."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from types import TracebackType

import torch


def watch_device(device: torch.device) -> DeviceLoad:
    """Watch a device; a CPU, and a device whose driver brings no `nvidia-smi`, tell nothing."""
    if device.type != "cuda":
        return DeviceLoad(None)
    uuid = torch.cuda.get_device_properties(device).uuid
    query = ("--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop=1")
    return DeviceLoad(("nvidia-smi", f"--id=GPU-{uuid}", *query))


class DeviceLoad:
    """Reads a program that prints every second in how many percent of the time the device computed."""

    def __init__(self, command: Sequence[str] | None) -> None:
        self._command = command
        self._readings: list[float] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> DeviceLoad:
        """Start to read."""
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
        """End the program."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._reader.join()

    def since_last(self) -> float | None:
        """Mean share of busy time in [0, 1] since the last call; None if nothing was told."""
        readings, self._readings = self._readings, []
        return sum(readings) / (100.0 * len(readings)) if readings else None

    def _read(self) -> None:
        if self._process is None or self._process.stdout is None:
            return
        with self._process.stdout as lines:
            for line in lines:
                if line.strip().isdigit():  # a part of a device (MIG) tells "[N/A]"
                    self._readings.append(float(line))
