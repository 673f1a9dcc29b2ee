"""The exits of station parts: which parts keep ending, how often and why, in a file in the home."""

import contextlib
import datetime as dt
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from worker.exits import Exit
from worker.parts.run_files import replace_run_file
from worker.settings import Settings

FAILING: Final = 3
"""Number of exits in a row, none after a long run, that make a part a failing one."""

_FILE: Final = "parts.json"


@dataclass(frozen=True, slots=True)
class PartExits:
    """A part that ended `times` times since `since` and has not run steadily yet."""

    part: str
    times: int
    since: dt.datetime
    last_at: dt.datetime
    code: int
    """Its last exit code; negative for a signal."""
    why: str
    """The last line that it logged."""

    @property
    def failing(self) -> bool:
        """True if it ended often enough to count as failing."""
        return self.times >= FAILING

    @property
    def summary(self) -> str:
        """Its last exit and its last log line, in words."""
        return f"{describe_exit_code(self.code)}{f': {self.why}' if self.why else ''}"


def describe_exit_code(code: int) -> str:
    """Return in words how a process ended, by its exit code."""
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = ", as happens when memory runs out" if -code == signal.SIGKILL else ""
        return f"killed by {name}{hint}"
    known = {int(one): one.name.lower() for one in Exit}
    return f"exit code {code} ({known[code]})" if code in known else f"exit code {code}"


def exit_for(exits: Sequence[PartExits]) -> Exit:
    """Return the exit code of a station whose parts keep ending: the first known one of theirs."""
    known = {int(one): one for one in Exit if one is not Exit.OK}
    return next((known[one.code] for one in exits if one.code in known), Exit.INTERNAL)


def write_part_exits(settings: Settings, exits: Sequence[PartExits]) -> None:
    """Write the exits of the parts to the file; a home that is not writable is reported elsewhere."""
    path = settings.run_path / _FILE
    parts = [
        {**asdict(one), "since": one.since.isoformat(), "last_at": one.last_at.isoformat()} for one in exits
    ]
    with contextlib.suppress(OSError):
        replace_run_file(path, json.dumps({"pid": os.getpid(), "parts": parts}))


def read_part_exits(settings: Settings) -> list[PartExits]:
    """Return the exits of the parts of the station that runs in this home."""
    try:
        entry = json.loads((settings.run_path / _FILE).read_text(encoding="utf-8"))
        if not Path(f"/proc/{int(entry['pid'])}").exists():
            return []
        return [
            PartExits(**{**one, **{key: dt.datetime.fromisoformat(one[key]) for key in ("since", "last_at")}})
            for one in entry["parts"]
        ]
    except (OSError, ValueError, TypeError, KeyError):
        return []
