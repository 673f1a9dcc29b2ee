"""The demonstration: a station in a folder of its own, fed with typical scans, judged file by file."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from db.catalog import FileRow, list_files
from db.core import Database, open_database
from db.errors import DatabaseError
from db.reports import running_jobs
from db.vocabulary import FileState
from restoration import contact_sheet
from restoration.demo_scans import Sample, make_samples
from worker.console import PrintableConsole
from worker.errors import HomeError, MissingExtra
from worker.exits import Exit
from worker.printable import display_path
from worker.settings import FILE_NAME, Settings, load_settings
from worker.storage.home import is_station_running

_LIMIT = 600.0
_LOOK = 0.5
_WIDTH = 110  # where no terminal tells
_MARK = ".saek-demo"
_ENDED = {FileState.DONE, FileState.QUARANTINED, FileState.FAILED, FileState.CANCELLED}


def run_demo(into: Path) -> Exit:
    """Run a station over the demonstration's masters in the folder `into`, made anew, and report.

    Returns OK only if every file ended as it should.

    Raises:
        HomeError: `into` holds something else than an earlier demonstration.
        MissingExtra: scikit-image is not installed.
    """
    console = PrintableConsole(width=None if sys.stdout.isatty() else _WIDTH)
    if importlib.util.find_spec("skimage") is None:
        raise MissingExtra(
            reason="The demonstration's photographs come with scikit-image, which is not installed.",
            remedy="Run: pip install 'saek[demo]' (in a clone: pip install '.[demo]')",
        )
    settings = _fresh_home(into)
    samples = make_samples(settings.inbox_path)
    console.print(escape(f"A station runs in {settings.home}; its inbox holds {len(samples)} files."))
    began = time.monotonic()
    log = settings.log_path / "station.log"
    with log.open("wb") as sink:
        station = subprocess.Popen(
            [sys.executable, "-m", "worker", "station", "--until-idle"],
            env=os.environ | {"SAEK_HOME": str(settings.home)},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )
        try:
            _follow(station, settings, len(samples), console)
        finally:
            _end(station)
    seconds = time.monotonic() - began
    database = open_database(settings.database_address())
    try:
        rows = _rows(database)
    except DatabaseError:
        rows = []
    finally:
        database.dispose()
    right = _report(samples, rows, settings, console)
    sheet = _sheet(samples, rows, settings)
    console.print(escape(f"Colored pictures: {settings.outbox_path}"))
    if sheet is not None:
        console.print(escape(f"Before and after: {sheet}"))
    console.print(escape(f"{seconds:.0f} s. The station's log is {log}"))
    if not right or station.returncode != 0:
        console.print("[bold red]Not every file ended as it should.[/]")
        return Exit.INCOMPLETE
    return Exit.OK


def _fresh_home(into: Path) -> Settings:
    home = into.absolute()
    if home.exists() and any(home.iterdir()) and not (home / _MARK).exists():
        raise HomeError(
            reason=f"{home} is not empty and holds no earlier demonstration.",
            remedy="Name another folder with --into.",
        )
    if home.exists():
        if is_station_running(load_settings(home=home)):
            raise HomeError(reason=f"A station runs in {home}.", remedy="Stop it first.")
        shutil.rmtree(home)
    home.mkdir(parents=True)
    (home / _MARK).touch()
    (home / FILE_NAME).write_text("settle_seconds = 1.0\nmin_free_bytes = 50_000_000\n", encoding="utf-8")
    settings = load_settings(home=home)
    settings.inbox_path.mkdir()
    settings.log_path.mkdir()
    return settings


def _follow(
    station: "subprocess.Popen[bytes]", settings: Settings, count: int, console: PrintableConsole
) -> None:
    database = open_database(settings.database_address())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    deadline = time.monotonic() + _LIMIT
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            whole = progress.add_task("files", total=count)
            while station.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(DatabaseError):  # the station is still making it
                    progress.update(whole, completed=sum(row.state in _ENDED for row in _rows(database)))
                    progress.update(whole, description=_what_runs(database))
                time.sleep(_LOOK)
    finally:
        database.dispose()


def _what_runs(database: Database) -> str:
    with database.read() as s:
        now = running_jobs(s)
    if not now:
        return "files"
    job = now[0]
    return f"{job.display}: {job.stage} {100 * job.done // max(1, job.total)} %"


def _end(station: "subprocess.Popen[bytes]") -> None:
    if station.poll() is None:
        station.send_signal(signal.SIGTERM)
        try:
            station.wait(60)
        except subprocess.TimeoutExpired:
            station.kill()
            station.wait()


def _rows(database: Database) -> list[FileRow]:
    with database.read() as s:
        return list(list_files(s))


def _report(
    samples: Sequence[Sample], rows: list[FileRow], settings: Settings, console: PrintableConsole
) -> bool:
    """Print the table; return whether every file ended as it should."""
    found = {row.path: row for row in rows}
    table = Table("", "file", "state", "s", Column("output or reason", overflow="fold"), box=box.SIMPLE)
    right = True
    for sample in samples:
        row = found.get(os.fsencode(sample.path))
        as_wished = row is not None and _as_wished(sample, row, settings)
        right &= as_wished
        mark = "[green]✓[/]" if as_wished else "[red]✗[/]"
        if row is None:
            table.add_row(mark, display_path(os.fsencode(sample.path)), "unknown", "", "never taken in")
            continue
        seconds = f"{row.seconds:.1f}" if row.seconds is not None else ""
        table.add_row(
            mark,
            escape(row.display),
            row.state.value,
            seconds,
            escape(row.derivative_display or row.reason or ""),
        )
    console.print(table)
    return right


def _as_wished(sample: Sample, row: FileRow, settings: Settings) -> bool:
    if sample.problem is not None:
        return row.state is FileState.QUARANTINED and row.code == sample.problem
    return row.state is FileState.DONE and _output(row, settings).is_file()


def _output(row: FileRow, settings: Settings) -> Path:
    return settings.outbox_path / os.fsdecode(row.derivative_path or b"")


def _sheet(samples: Sequence[Sample], rows: list[FileRow], settings: Settings) -> Path | None:
    done = {row.path: row for row in rows if row.state is FileState.DONE}
    pairs = [
        (row.display, settings.inbox_path / sample.path, _output(row, settings))
        for sample in samples
        if sample.problem is None and (row := done.get(os.fsencode(sample.path))) is not None
    ]
    if not pairs:
        return None
    sheet = settings.home / "before-after.png"
    contact_sheet(pairs, sheet)
    return sheet
