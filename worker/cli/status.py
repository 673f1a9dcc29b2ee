"""`saek status`: overview of the work, list of files, or history of one file."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from db.vocabulary import FileState
from worker.cli.context import open_record, roots, settings_and_logs
from worker.cli.options import Collections, Json, States
from worker.console import as_sentence, jsonable, out, table, write_json
from worker.formatting import duration, moment
from worker.printable import printable
from worker.settings import Settings

if TYPE_CHECKING:
    from db.catalog import FileRow
    from db.core import Database
    from db.reports import Overview, RunningJob, ScanHistory
    from worker.parts.part_exits import PartExits
    from worker.parts.wait_reporter import WaitingPart

_REFRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Query:
    """Requested view: the history of one file, a list of files, or, by default, the overview."""

    selector: str | None
    states: Sequence[FileState]
    collections: Sequence[str]
    limit: int
    exact: bool


@dataclass(frozen=True, slots=True)
class _Work:
    overview: "Overview"
    running: "Sequence[RunningJob]"
    station: bool | None
    parts: "Sequence[WaitingPart]"
    ends: "Sequence[PartExits]"


@dataclass(frozen=True, slots=True)
class _FileList:
    rows: "Sequence[FileRow]"
    more: bool


def status(
    *,
    selector: Annotated[
        str | None,
        typer.Argument(
            metavar="PATH|ID",
            help="A file of the inbox or the outbox, a number from the list of files, scan:N, job:N, "
            "or a sha256 prefix.",
            show_default=False,
        ),
    ] = None,
    state: States = None,
    collection: Collections = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of files to list.")] = 100,
    exact: Annotated[bool, typer.Option("--exact", help="Count now, even if that takes long.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every second until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """Show an overview of the work, a list of files, or the history of one file."""
    if watch and json:
        raise typer.BadParameter("--watch and --json cannot be combined")
    listing = bool(state or collection)
    if exact and (selector is not None or listing):
        raise typer.BadParameter(
            "--exact is for the overview; the history of a file and the list of files are always exact"
        )
    if selector is not None and listing:
        raise typer.BadParameter("name one file, or list files with --state and --collection, not both")
    settings = settings_and_logs()
    query = _Query(selector, state or (), collection or (), limit, exact)
    with open_record(settings) as database:
        if watch:
            _watch(database, settings, query)
        result = _read(database, settings, query)
    if json:
        write_json(_facts(result, settings))
    else:
        out().print(_screen(result, settings))


def _watch(database: "Database", settings: Settings, query: _Query) -> None:
    console = out()
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while True:
            live.update(_screen(_read(database, settings, query), settings), refresh=True)
            time.sleep(_REFRESH_SECONDS)


def _read(database: "Database", settings: Settings, query: _Query) -> "ScanHistory | _FileList | _Work":
    from db.catalog import list_files
    from db.reports import overview, running_jobs
    from worker.cli.selection import collections, find_history
    from worker.parts.part_exits import read_part_exits
    from worker.parts.wait_reporter import waiting_parts
    from worker.storage.home import is_station_running

    with database.read() as s:
        if query.selector is not None:
            return find_history(s, query.selector, settings)
        if query.states or query.collections:
            chosen = collections(s, query.collections, settings)
            found = list_files(s, query.states, chosen, query.limit + 1)
            rows = list(itertools.islice(found, query.limit + 1))
            return _FileList(rows[: query.limit], more=len(rows) > query.limit)
        station = is_station_running(settings) if settings.embedded_broker else None
        return _Work(
            overview(s, exact=query.exact),
            running_jobs(s),
            station,
            waiting_parts(settings),
            read_part_exits(settings),
        )


def _screen(result: "ScanHistory | _FileList | _Work", settings: Settings) -> RenderableType:
    from worker.cli.history import history_screen
    from worker.cli.overview import overview_screen

    match result:
        case _FileList():
            return _file_table(result)
        case _Work():
            return overview_screen(
                result.overview,
                result.running,
                result.parts,
                settings.home,
                result.station,
                ends=result.ends,
            )
        case _:
            return history_screen(result, roots(settings))


def _file_table(found: _FileList) -> RenderableType:
    from worker.cli.overview import STYLES

    if not found.rows:
        return Text("No file matches.")
    made = table("id", "file", "state", "since", "took", "output, or reason and remedy", right=("id", "took"))
    for row in found.rows:
        outcome = printable(row.derivative_display or "")
        if row.reason is not None:
            outcome = f"{as_sentence(row.reason)} {as_sentence(row.remedy or '')}"
        took = "" if row.seconds is None or row.state is not FileState.DONE else duration(row.seconds)
        if row.state is not row.file_state:
            outcome = f"job:{row.job_id} of a file that is {row.file_state}. {outcome}"
        elif row.failed_job_id is not None:
            outcome = f"{outcome} (but job:{row.failed_job_id} failed)".strip()
        state = Text(row.state, style=STYLES[row.state])
        made.add_row(str(row.sighting_id), printable(row.display), state, moment(row.since), took, outcome)
    if found.more:
        made.caption = "There are more files; raise --limit to list them."
        made.caption_justify = "left"
    return made


def _facts(result: "ScanHistory | _FileList | _Work", settings: Settings) -> dict[str, Any]:
    folders = roots(settings)
    match result:
        case _FileList():
            return {"files": jsonable(result.rows, folders), "more": result.more}
        case _Work():
            facts: dict[str, Any] = jsonable(result.overview, folders)
            return {
                "station": result.station,
                **facts,
                "parts_waiting": jsonable(result.parts, folders),
                "parts_ending": [{**jsonable(end, folders), "failing": end.failing} for end in result.ends],
                "running": jsonable(result.running, folders),
            }
        case _:
            history: dict[str, Any] = jsonable(result, folders)
            return history
