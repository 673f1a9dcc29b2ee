"""`saek verify`: compare files and events with the record."""

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from db.vocabulary import Holding
from worker.cli.context import open_record, roots, settings_and_logs
from worker.cli.options import Collections, Json, Since, States, Until
from worker.cli.selection import Filters, selection
from worker.console import err, out, progress_bar, write_json
from worker.exits import Exit
from worker.formatting import size
from worker.printable import printable

if TYPE_CHECKING:
    from db.audit import FileCheck, RecordedFile
    from db.core import Database
    from worker.fixity.verification import VerifyProgress, VerifyRequest

_AGE = re.compile(r"(\d{1,6})(min|h|d|w)")
_UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PARTS = {Holding.MASTER: "masters", Holding.DERIVATIVE: "derivatives", Holding.LINK: "derivatives"}
_SEAL = re.compile(r"(\d{1,18}):([0-9a-fA-F]{64})")


def _age(text: str) -> dt.timedelta:
    match = _AGE.fullmatch(text.strip().lower())
    if match is None:
        raise typer.BadParameter(f"{text!r} is not an age; write 90min, 12h, 30d or 8w")
    return dt.timedelta(**{_UNITS[match[2]]: int(match[1])})


def verify(
    *,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|ID|GLOB",
            help="Only these files of the inbox and their derivatives, as for `saek reprocess`.",
            show_default=False,
        ),
    ] = None,
    collection: Collections = None,
    state: States = None,
    since: Since = None,
    until: Until = None,
    masters: Annotated[bool, typer.Option("--masters", help="Check the masters.")] = False,
    derivatives: Annotated[bool, typer.Option("--derivatives", help="Check the derivatives.")] = False,
    orphans: Annotated[
        bool, typer.Option("--orphans", help="Find files in the outbox that belong to no recorded job.")
    ] = False,
    events: Annotated[
        bool, typer.Option("--events", help="Check that no event was changed, removed or inserted.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="Stop after this many seconds; the next run continues.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Maximum read rate in MB/s.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Maximum number of files to check.")] = None,
    older_than: Annotated[
        dt.timedelta | None,
        typer.Option(
            parser=_age,
            metavar="AGE",
            help="Only files last checked longer ago than this: 90min, 12h, 30d, 8w.",
        ),
    ] = None,
    skip_gone: Annotated[bool, typer.Option("--skip-gone", help="Skip masters that left the inbox.")] = False,
    expect_seal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N:SHA256", help="A seal noted earlier that must still be in the record. May be repeated."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and record nothing; show what would be checked.")
    ] = False,
    json: Json = False,
) -> None:
    """Compare the checksums of files with the record, and check that no recorded event was altered.

    The files unchecked for longest come first, so that a run that ended early is continued by the next.

    Without --masters, --derivatives, --orphans or --events everything is checked; if files are chosen, only
    those.
    """
    from db.audit import Due, choose_files
    from db.values import utcnow
    from worker.cli.verify_json import estimate_facts, verification_facts
    from worker.cli.verify_report import estimate_screen, verification_screen
    from worker.fixity.verification import VerifyRequest, estimate_verification, verify_record

    filters = Filters(collection or (), state or (), since, until)
    narrowed = bool(files) or filters != Filters()
    flags = {"masters": masters, "derivatives": derivatives, "orphans": orphans, "events": events}
    parts = {name for name, wanted in flags.items() if wanted}
    if not parts:
        parts = {"masters", "derivatives"} if narrowed else set(flags)
    expected = dict(map(_expected_seal, expect_seal or ()))
    if expected:
        parts.add("events")
    settings = settings_and_logs()
    with open_record(settings) as database:
        chosen = None
        if narrowed:
            with database.read() as s:
                chosen = choose_files(s, selection(s, files or (), filters, settings))
        now = utcnow()
        request = VerifyRequest(
            holdings=tuple(kind for kind in Holding if _PARTS[kind] in parts),
            orphans="orphans" in parts,
            events="events" in parts,
            due=Due(now, None if older_than is None else now - older_than, gone=not skip_gone),
            chosen=chosen,
            seconds=seconds,
            bytes_per_second=None if rate is None else rate * 1e6,
            files=limit,
            expected=expected,
        )
        if dry_run:
            amounts = estimate_verification(database, request)
            if json:
                write_json(estimate_facts(amounts, request))
            else:
                out().print(estimate_screen(amounts, request))
            return
        folders = roots(settings)
        with _progress(database, request) as progress:
            result = verify_record(database, folders, request, progress)
    if json:
        write_json(verification_facts(result, folders))
    else:
        out().print(verification_screen(result, request, folders))
    if not result.well:
        raise typer.Exit(Exit.INCOMPLETE)


def _expected_seal(text: str) -> tuple[int, str]:
    match = _SEAL.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is not a seal; write its number, a colon and 64 hexadecimal digits",
            param_hint="--expect-seal",
        )
    return int(match[1]), match[2].lower()


@contextmanager
def _progress(database: "Database", asked: "VerifyRequest") -> "Iterator[VerifyProgress]":
    """Yield listeners that show progress and each problem on standard error."""
    from db.vocabulary import Finding
    from worker.fixity.verification import VerifyProgress, estimate_verification

    console = err()
    total = 0
    if console.is_terminal and asked.holdings:
        total = sum(
            amount.bytes
            for amount in estimate_verification(database, replace(asked, events=False)).files.values()
        )
    with progress_bar(console) as bar:
        task = bar.add_task("", name="", stage="", total=None)
        done = 0

        def proving(seals: int, of: int) -> None:
            bar.update(task, name="checking the events", completed=seals, total=of)

        def looking(files: int) -> None:
            bar.update(task, name="searching the outbox", completed=0, total=None, stage=f"{files:,} files")

        def begin(held: "RecordedFile") -> None:
            stage = f"{held.holding}, {size(held.bytes)}"
            bar.update(task, name=printable(held.display), completed=done, total=total or None, stage=stage)

        def tell(check: "FileCheck") -> None:
            nonlocal done
            done += check.file.bytes
            if check.finding is not Finding.INTACT:
                bar.console.print(f"{check.finding}: {check.file.root}/{printable(check.file.display)}")

        yield VerifyProgress(proving, looking, begin, tell)
