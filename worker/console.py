"""Output of commands: tables and JSON on standard output, progress and messages on standard error."""

import dataclasses
import datetime as dt
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_from_bytes

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from worker.printable import printable_json, printable_lines

_PIPE_WIDTH: Final = 160
"""Width of tables where standard output is not a terminal, in columns."""


def out() -> Console:
    """Return the console of standard output; file names are never read as markup."""
    return _console(stderr=False)


def err() -> Console:
    """Return the console of standard error."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return PrintableConsole(stderr=stderr, width=width, markup=False, highlight=False, emoji=False)


class PrintableConsole(Console):
    """A console that escapes control characters in all output, so that no name controls the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Yield the segments of a renderable with unprintable characters escaped."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(printable_lines(segment.text), segment.style)


def table(*columns: str, title: str | None = None, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table; the columns named in `right` hold numbers."""
    made = Table(
        title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False
    )
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def progress_bar(console: Console) -> Progress:
    """Return a progress display: name, bar, percentage, stage and time left."""
    return Progress(
        TextColumn("{task.fields[name]}", markup=False),
        BarColumn(bar_width=32),
        TaskProgressColumn(),
        TextColumn("{task.fields[stage]}", markup=False, style="dim"),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def long_progress(
    name: str, line_seconds: float, *, line_at_once: bool = False
) -> Iterator[Callable[[str, str, int, int, str], None]]:
    """Yield show(name, stage, done, total, line): a bar on a terminal, else `line` every `line_seconds`."""
    console = err()
    with progress_bar(console) as bar:
        task = bar.add_task("", name=name, stage="", total=None)
        printed = -math.inf if line_at_once else time.monotonic()

        def show(name: str, stage: str, done: int, total: int, line: str) -> None:
            nonlocal printed
            bar.update(task, name=name, stage=stage, completed=done, total=total)
            if not console.is_terminal and time.monotonic() - printed >= line_seconds:
                printed = time.monotonic()
                console.print(line)

        yield show


def print_problem(reason: str, remedy: str = "") -> None:
    """Write reason and remedy as one line on standard error."""
    line = Text("saek: ", style="bold red")
    line.append(as_sentence(reason), style="default")
    if remedy:
        line.append(f" {as_sentence(remedy)}", style="default")
    err().print(line, soft_wrap=True)


def as_sentence(text: str) -> str:
    """Return `text` with a capital first letter and a final period; names keep their first letter."""
    text = text.strip()
    if text[:1].islower() and text.split(" ", 1)[0].isalpha():
        text = text[0].upper() + text[1:]
    return text if not text or text[-1] in ".!?" else f"{text}."


def write_json(payload: object) -> None:
    """Write `payload` as a JSON document on standard output."""
    sys.stdout.write(printable_json(json.dumps(payload, ensure_ascii=False, indent=2)) + "\n")
    sys.stdout.flush()


def jsonable(value: Any, roots: Mapping[str, Path]) -> Any:
    """Return `value` as types that JSON can hold.

    Times become ISO 8601 in UTC, durations seconds. The bytes of a `path` become a file `uri` below the
    folder that `roots` gives for the name in `root`, so that a name in any encoding survives.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return dict(_items(value, roots))
        case list() | tuple():
            return [jsonable(item, roots) for item in value]
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case dt.timedelta():
            return round(value.total_seconds(), 3)
        case _:
            raw = isinstance(value, bytes | Path)
            return os.fsencode(value).decode("utf-8", "backslashreplace") if raw else str(value)


def _items(facts: Mapping[Any, Any], roots: Mapping[str, Path]) -> list[tuple[str, Any]]:
    items: list[tuple[str, Any]] = []
    for key, value in facts.items():
        name = str(key)
        if name.endswith("path") and f"{name.removesuffix('path')}root" in facts:
            root = facts[f"{name.removesuffix('path')}root"]
            items.append(
                (f"{name.removesuffix('path')}uri", None if value is None else uri(roots, root, value))
            )
        else:
            items.append((name, jsonable(value, roots)))
    return items


def uri(roots: Mapping[str, Path], root: str, path: bytes) -> str:
    """Return the file URI of `path` below the folder of the named root."""
    folder = os.fsencode(roots[root]) if root in roots else b"/" + root.encode()
    return "file://" + quote_from_bytes(folder + b"/" + path)
