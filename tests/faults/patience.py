"""How tests wait for what real processes do."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

_LOOK = 0.05
_TAIL = -8000


class Logged(Protocol):
    """Whatever keeps a log."""

    @property
    def log(self) -> Path:
        """Where the log lies."""


def await_that(host: Logged, condition: Callable[[], Any], what: str, seconds: float = 120) -> float:
    """Wait until it comes true; return the seconds that it took. Else the test fails, with the log."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            pytest.fail(f"{what} did not come true\n{host.log.read_text(errors='replace')[_TAIL:]}")
        time.sleep(_LOOK)
    return time.monotonic() - began
