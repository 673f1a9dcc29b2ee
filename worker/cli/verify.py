"""`saek verify`: whether files and events are still what was recorded."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from db.vocabulary import Holding
from worker.cli.context import open_record, roots, settings_and_logs
from worker.cli.options import Collections, Json, Since, States, Until
from worker.cli.selection import Filters, selection
from worker.console import err, progress_bar, write_json
from worker.exits import Exit
from worker.formatting import size
from worker.printable import printable
from worker.settings import Settings

if TYPE_CHECKING:
    from db.audit import ChosenFiles, Due, FileCheck, RecordedFile
    from db.core import Database
    from worker.fixity.verifying import VerifyProgress, VerifyRequest, VerifyResult

_AGE = re.compile(r"(\d{1,6})(min|h|d|w)")
_UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PARTS = {Holding.MASTER: "masters", Holding.DERIVATIVE: "derivatives", Holding.LINK: "derivatives"}
_SEAL = re.compile(r"(\d{1,18}):([0-9a-fA-F]{64})")


def _age(text: str) -> dt.timedelta:
    match = _AGE.fullmatch(text.strip().lower())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no age; write 90min, 12h, 30d or 8w")
    return dt.timedelta(**{_UNITS[match[2]]: int(match[1])})


def verify(
    *,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|ID|GLOB",
            help="Only these files of the inbox and what was made of them; as for `saek reprocess`.",
            show_default=False,
        ),
    ] = None,
    collection: Collections = None,
    state: States = None,
    since: Since = None,
    until: Until = None,
    masters: Annotated[bool, typer.Option("--masters", help="Read the masters again.")] = False,
    derivatives: Annotated[bool, typer.Option("--derivatives", help="Read the derivatives again.")] = False,
    orphans: Annotated[
        bool, typer.Option("--orphans", help="Look for files in the outbox that nothing on record made.")
    ] = False,
    events: Annotated[
        bool, typer.Option("--events", help="Prove that no event was changed, removed or added.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="Stop after so long; the next run goes on from there.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Read at most so many MB a second.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Read at most so many files.")] = None,
    older_than: Annotated[
        dt.timedelta | None,
        typer.Option(
            parser=_age, metavar="AGE", help="Only files not checked for so long: 90min, 12h, 30d, 8w."
        ),
    ] = None,
    skip_gone: Annotated[
        bool, typer.Option("--skip-gone", help="Do not ask for masters that left the inbox.")
    ] = False,
    expect_seal: Annotated[
        list[str] | None,
        typer.Option(metavar="N:SHA256", help="A seal that was written down elsewhere. May be repeated."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and record nothing; tell what would be read.")
    ] = False,
    json: Json = False,
) -> None:
    """Read files again, compare them with the record, and prove that the record was only ever added to.

    The longest unchecked come first: a run that ended early goes on with the next.

    Without --masters, --derivatives, --orphans, --events it does all; with files chosen, only those.
    """
    from worker.fixity.verifying import VerifyRequest, estimate_verification, verify_record

    expected = dict(map(_expected, expect_seal or ()))
    chosen_by = Filters(collection or (), state or (), since, until)
    narrowed = bool(what) or chosen_by != Filters()
    said = {"masters": masters, "derivatives": derivatives, "orphans": orphans, "events": events}
    parts = {name for name, wanted in said.items() if wanted}
    if not parts:
        parts = {"masters", "derivatives"} if narrowed else set(said)
    if expected:
        parts.add("events")
    settings = settings_and_logs()
    with open_record(settings) as database:
        asked = VerifyRequest(
            holdings=tuple(kind for kind in Holding if _PARTS[kind] in parts),
            orphans="orphans" in parts,
            events="events" in parts,
            due=_due(older_than, skip_gone=skip_gone),
            chosen=_chosen(database, what or (), chosen_by, settings) if narrowed else None,
            seconds=seconds,
            bytes_per_second=None if rate is None else rate * 1e6,
            files=limit,
            expected=expected,
        )
        if dry_run:
            from worker.cli.verify_report import estimate_facts, estimate_screen

            amounts = estimate_verification(database, asked)
            _show(estimate_facts(amounts, asked), estimate_screen(amounts, asked), json=json)
            return
        with _watched(database, asked) as listener:
            done = verify_record(database, roots(settings), asked, listener)
    _tell(done, asked, settings, json=json)
    if not done.well:
        raise typer.Exit(Exit.INCOMPLETE)


def _due(older_than: dt.timedelta | None, *, skip_gone: bool) -> "Due":
    from db.audit import Due
    from db.values import utcnow

    now = utcnow()
    return Due(now, None if older_than is None else now - older_than, gone=not skip_gone)


def _chosen(
    database: "Database", words: Sequence[str], conditions: Filters, settings: Settings
) -> "ChosenFiles":
    from db.audit import choose_files

    with database.read() as s:
        return choose_files(s, selection(s, words, conditions, settings))


def _expected(text: str) -> tuple[int, str]:
    match = _SEAL.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is no seal; write its number, a colon and its 64 digits", param_hint="--expect-seal"
        )
    return int(match[1]), match[2].lower()


@contextmanager
def _watched(database: "Database", asked: "VerifyRequest") -> "Iterator[VerifyProgress]":
    """Yield what shows on standard error how far the run is, and what it finds amiss as it finds it."""
    from db.vocabulary import Finding
    from worker.fixity.verifying import VerifyProgress, estimate_verification

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
            bar.update(task, name="proving the events", completed=seals, total=of)

        def looking(files: int) -> None:
            bar.update(
                task, name="looking through the outbox", completed=0, total=None, stage=f"{files:,} files"
            )

        def begin(held: "RecordedFile") -> None:
            stage = f"{held.holding}, {size(held.bytes)}"
            bar.update(task, name=printable(held.display), completed=done, total=total or None, stage=stage)

        def tell(check: "FileCheck") -> None:
            nonlocal done
            done += check.file.bytes
            if check.finding is not Finding.INTACT:
                bar.console.print(f"{check.finding}: {check.file.root}/{printable(check.file.display)}")

        yield VerifyProgress(proving, looking, begin, tell)


def _tell(done: "VerifyResult", asked: "VerifyRequest", settings: Settings, *, json: bool) -> None:
    from worker.cli.verify_report import verification_facts, verification_screen

    folders = roots(settings)
    _show(verification_facts(done, folders), verification_screen(done, asked, folders), json=json)


def _show(facts: Mapping[str, object], screen: object, *, json: bool) -> None:
    from worker.console import out

    if json:
        write_json(facts)
    else:
        out().print(screen)
