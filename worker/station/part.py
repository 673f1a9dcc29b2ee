"""A part of the station: a process that is started again after a pause when it ends."""

import datetime as dt
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from typing import IO, Final

import structlog

from worker.parts.part_exits import FAILING, PartExits, describe_exit_code
from worker.settings import Settings

STATION_PID: Final = "STATION_PID"
"""Name of the environment variable with the process id of the station."""

_MAX_PAUSE: Final = 30.0
_STEADY_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 15.0

_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")

_log = structlog.get_logger()


class StationPart:
    """The process of one part, with its exits and its last lines of output.

    `exits` is None while it runs steadily. `exits_without_progress` counts its exits since a file last ended.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.exits: PartExits | None = None
        self.exits_without_progress = 0
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = 1.0
        self._restart_at = 0.0
        self._output: deque[str] = deque(maxlen=20)
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Start the process."""
        environment = os.environ | {"SAEK_HOME": str(self._settings.home), STATION_PID: str(os.getpid())}
        if sys.stderr.isatty():
            environment.setdefault("FORCE_COLOR", "1")
        self._output = deque(maxlen=self._output.maxlen)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "worker", self.name],
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the station alone; it stops the parts in their order
        )
        self._reader = threading.Thread(
            target=_copy_output, args=(self._process.stderr, self._output), daemon=True
        )
        self._reader.start()
        self._started = time.monotonic()

    @property
    def is_running(self) -> bool:
        """True if the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def keep_running(self, now: float) -> bool:
        """Start the process again if it ended and the pause is over; return whether `exits` has changed."""
        changed = False
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                if now - self._started > _STEADY_SECONDS:
                    changed = self.exits is not None
                    self.exits, self.exits_without_progress, self._pause = None, 0, 1.0
                return changed
            self._note_exit(code)
            self._process, self._restart_at = None, now + self._pause
            self._pause = min(2 * self._pause, _MAX_PAUSE)
            changed = True
        if now >= self._restart_at:
            self.start()
        return changed

    def stop(self) -> None:
        """Stop the process, after `drain_seconds` and some grace by force."""
        if self._process is None or not self.is_running:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(self._settings.drain_seconds + _GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            _log.warning("a part did not stop in time and is killed; the record is safe", part=self.name)
            os.killpg(self._process.pid, signal.SIGKILL)  # a worker has children
            self._process.wait()

    def _note_exit(self, code: int) -> None:
        if self._reader is not None:
            self._reader.join(1.0)  # its last lines may be on the way
        now = dt.datetime.now(dt.UTC)
        why = next((line for line in reversed(self._output) if line), "")
        since, times = (now, 1) if self.exits is None else (self.exits.since, self.exits.times + 1)
        self.exits = PartExits(self.name, times, since, now, code, why)
        self.exits_without_progress += 1
        _log.error(
            "a part ended and is started again",
            part=self.name,
            times=times,
            ended=describe_exit_code(code),
            why=why,
            seconds=self._pause,
        )
        if times == FAILING:
            _log.error(
                "a part keeps ending: the station does not work properly",
                part=self.name,
                times=times,
                since=since.isoformat(timespec="seconds"),
                remedy="the last line says why; saek doctor looks for causes",
            )


def _copy_output(stream: IO[bytes], output: deque[str]) -> None:
    """Copy what a part writes to standard error, and keep the last lines."""
    with stream:
        for line in stream:
            output.append(_ANSI.sub("", line.decode("utf-8", "replace")).strip())
            try:
                rest = line
                while rest:
                    rest = rest[os.write(2, rest) :]
            except OSError:
                continue  # no one reads the output of the station; its parts must not stop for that
