"""Which parts of the station keep ending, how often and why: the station tells it by a file in its home."""

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
"""A part that ended so many times in a row, and never ran for long, is failing."""

_FILE: Final = "parts.json"


@dataclass(frozen=True, slots=True)
class PartExits:
    """A part that ended, `times` since `since`, and has not yet run steadily again."""

    part: str
    times: int
    since: dt.datetime
    last_at: dt.datetime
    code: int
    """With which it ended last; negative for a signal."""
    why: str
    """The last line that it wrote."""

    @property
    def failing(self) -> bool:
        """Whether it is of no use as it is."""
        return self.times >= FAILING

    @property
    def words(self) -> str:
        """How it ended last, and why, as far as it said."""
        return f"{describe_exit_code(self.code)}{f': {self.why}' if self.why else ''}"


def describe_exit_code(code: int) -> str:
    """Return how a process ended, by its exit code."""
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = ", as happens when memory runs out" if -code == signal.SIGKILL else ""
        return f"killed by {name}{hint}"
    known = {int(one): one.name.lower() for one in Exit}
    return f"exit code {code} ({known[code]})" if code in known else f"exit code {code}"


def exit_for(ends: Sequence[PartExits]) -> Exit:
    """Return with which code a station ends whose parts keep ending: that of the first that told one."""
    told = {int(one): one for one in Exit if one is not Exit.OK}
    return next((told[one.code] for one in ends if one.code in told), Exit.INTERNAL)


def write_part_exits(settings: Settings, ends: Sequence[PartExits]) -> None:
    """Keep what the station knows of its parts; a home that cannot be written to is told of elsewhere."""
    path = settings.run_path / _FILE
    moments = [
        {**asdict(one), "since": one.since.isoformat(), "last_at": one.last_at.isoformat()} for one in ends
    ]
    with contextlib.suppress(OSError):
        replace_run_file(path, json.dumps({"pid": os.getpid(), "parts": moments}))


def read_part_exits(settings: Settings) -> list[PartExits]:
    """Return which parts of the station that runs in this home keep ending."""
    try:
        told = json.loads((settings.run_path / _FILE).read_text(encoding="utf-8"))
        if not Path(f"/proc/{int(told['pid'])}").exists():
            return []
        return [
            PartExits(**{**one, **{key: dt.datetime.fromisoformat(one[key]) for key in ("since", "last_at")}})
            for one in told["parts"]
        ]
    except (OSError, ValueError, TypeError, KeyError):
        return []
