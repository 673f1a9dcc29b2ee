"""`saek recover`: rebuild the queue, the record or the sidecars."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.context import open_record, settings_and_logs
from worker.cli.options import Json
from worker.console import err, out, print_problem, table, write_json
from worker.exits import Exit
from worker.formatting import count

if TYPE_CHECKING:
    from rich.status import Status

    from db.core import Database
    from worker.recovery.report import RecoveryReport, UnusableFile
    from worker.settings import Settings

app = typer.Typer(
    name="recover",
    help="Rebuild what was lost: the queue, the record, or the sidecars of derivatives.",
    no_args_is_help=True,
)

_DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing; show what would be done.")]


@app.command()
def queue(dry_run: _DryRun = False, json: Json = False) -> None:
    """Send all queued jobs again, end all waits, and take back the jobs of workers that do not answer."""
    from db.queue import inspect_queue, recover_queue

    settings = settings_and_logs()
    with open_record(settings) as database:
        if dry_run:
            with database.read() as s:
                found = inspect_queue(s)
        else:
            found = database.run(recover_queue)
    if json:
        write_json({"dry_run": dry_run, **asdict(found)})
        return
    made = table("jobs", "", right=("jobs",))
    made.add_row(f"{found.queued:,}", "queued")
    made.add_row(f"{found.sent:,}", f"of these sent before{_and(dry_run, 'sent again')}")
    made.add_row(f"{found.waiting:,}", f"waiting for a transient cause{_and(dry_run, 'retried now')}")
    made.add_row(f"{found.taken_back:,}", f"held by workers that do not answer{_and(dry_run, 'taken back')}")
    out().print(made)


@app.command()
def database(
    outbox: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="OUTBOX",
            help="Folder of derivatives to read.",
            show_default="the outbox",
            file_okay=False,
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify/--no-verify",
            help="Compare the checksum of each derivative, or only its size.",
        ),
    ] = True,
    dry_run: _DryRun = False,
    json: Json = False,
) -> None:
    """Add to the record what is missing from it, from the sidecars of an outbox; overwrites nothing."""
    from worker.recovery.database import record_for_recovery, recover_database

    settings = settings_and_logs()
    folder = (outbox or settings.outbox_path).expanduser().absolute()
    opened = record_for_recovery(settings)
    try:
        if folder == settings.outbox_path:
            _require_outbox(settings, opened)
        with err().status("Reading sidecars", spinner="line") as status:
            report = recover_database(
                opened, folder, _reporter(status, quiet=json), verify=verify, dry_run=dry_run
            )
    finally:
        opened.dispose()
    entered = report.entered
    if json:
        facts = asdict(report)
        facts.pop("written")
        write_json({"dry_run": dry_run, "outbox": str(folder), "verified": verify, **facts})
    else:
        made = table("number", "", right=("number",))
        made.add_row(f"{report.read:,}", "sidecars read")
        made.add_row(f"{report.known:,}", "derivatives already on record")
        made.add_row(f"{entered.derivatives:,}", f"derivatives {'to enter' if dry_run else 'entered'}")
        made.add_row(f"{entered.links:,}", f"further names {'to enter' if dry_run else 'entered'}")
        if not dry_run:
            made.add_row(f"{entered.scans:,}", "scans entered")
            made.add_row(f"{entered.sightings:,}", "files entered")
            made.add_row(f"{entered.jobs:,}", "jobs entered as done")
            made.add_row(f"{entered.completed:,}", "waiting jobs completed")
        out().print(made)
    _end(report)


@app.command()
def sidecars(dry_run: _DryRun = False, json: Json = False) -> None:
    """Write missing or damaged sidecars from the record."""
    from worker.recovery.sidecars import recover_sidecars

    settings = settings_and_logs()
    with (
        open_record(settings) as opened,
        err().status("Checking sidecars", spinner="line") as status,
    ):
        _require_outbox(settings, opened)
        report = recover_sidecars(
            opened, settings.outbox_path, _reporter(status, quiet=json), dry_run=dry_run
        )
    if json:
        kept: dict[str, Any] = {
            name: value for name, value in asdict(report).items() if name not in {"entered", "read"}
        }
        write_json({"dry_run": dry_run, "derivatives": report.read, **kept})
    else:
        verb = "to write" if dry_run else "written"
        out().print(
            f"{count(report.read, 'derivative')}: {count(report.written, 'sidecar')} {verb}, "
            f"{report.known:,} correct."
        )
    _end(report)


def _require_outbox(settings: "Settings", opened: "Database") -> None:
    """Raise OutputUnavailable unless the outbox is the one that belongs to the record."""
    from db.catalog import latest_derivative_paths
    from worker.storage.mounts import outbox_problem

    with opened.read() as s:
        problem = outbox_problem(settings, latest_derivative_paths(s))
    if problem is not None:
        raise problem


def _and(dry_run: bool, done: str) -> str:
    return "" if dry_run else f", {done}"


def _reporter(status: "Status", *, quiet: bool) -> "Any":
    def show(report: "RecoveryReport", finding: "UnusableFile | None") -> None:
        if finding is not None and not quiet:
            from worker.printable import printable

            print_problem(printable(f"{finding.display}: {finding.reason}"), printable(finding.remedy))
        elif report.read % 100 == 0:
            status.update(f"{report.read:,} read, {count(report.troubles, 'problem')}")

    return show


def _end(report: "RecoveryReport") -> None:
    if report.troubles:
        raise typer.Exit(Exit.INCOMPLETE)
