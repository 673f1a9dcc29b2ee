"""Time spent training, waiting, and paused."""

import sys
import time
from collections.abc import Iterator

import pytest
import torch

from restoration.training.device import DeviceLoad, watch_device
from restoration.training.throughput import Stopwatch, TimeSpent


def slowly(count: int) -> Iterator[int]:
    for number in range(count):
        time.sleep(0.05)
        yield number


def test_waiting_and_training_times_are_separate() -> None:
    stopwatch = Stopwatch()
    for _ in stopwatch.waiting_for(slowly(3)):
        time.sleep(0.05)

    lap = stopwatch.lap(12)

    assert lap.samples == 12
    assert lap.waiting_seconds >= 0.15
    assert lap.seconds - lap.waiting_seconds >= 0.15
    assert lap.samples_per_second == pytest.approx(12 / lap.seconds)
    assert 0 < lap.waiting_share < 1


def test_computing_counts_as_cpu_time_and_sleeping_does_not() -> None:
    stopwatch = Stopwatch()
    began = time.process_time()
    while time.process_time() - began < 0.1:
        pass
    busy = stopwatch.lap(1)
    time.sleep(0.1)
    idle = stopwatch.lap(1)

    assert busy.cpu_seconds >= 0.1
    assert idle.cpu_seconds < idle.seconds


def test_a_pause_is_not_counted() -> None:
    began = time.perf_counter()
    stopwatch = Stopwatch()
    time.sleep(0.2)
    stopwatch.restart()

    assert stopwatch.lap(1).seconds <= time.perf_counter() - began - 0.2


def test_laps_add_up() -> None:
    total = TimeSpent(2, 1.0, 0.5, 0.25)

    total.add(TimeSpent(4, 2.0, 1.5, 0.5))

    assert total == TimeSpent(6, 3.0, 2.0, 0.75)
    assert total.waiting_share == 0.25
    assert total.samples_per_second == 2.0


def test_device_readings_are_averaged_between_calls() -> None:
    program = "print(50); print(100); print('[N/A]', flush=True); input()"
    with DeviceLoad((sys.executable, "-c", program)) as load:
        assert _until_told(load) in {0.5, 0.75, 1.0}
        time.sleep(0.2)
        load.since_last()

        assert load.since_last() is None


def test_a_cpu_and_a_device_without_driver_have_no_readings() -> None:
    with watch_device(torch.device("cpu")) as load:
        assert load.since_last() is None
    with DeviceLoad(("/nonexistent/nvidia-smi",)) as load:
        assert load.since_last() is None


def _until_told(load: DeviceLoad) -> float:
    for _ in range(200):
        if (reading := load.since_last()) is not None:
            return reading
        time.sleep(0.02)
    raise AssertionError("nothing was read")
