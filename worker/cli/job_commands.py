"""`saek retry`, `cancel`, `pause` and `resume`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from db.vocabulary import Lane
from worker.cli.context import current_user, open_record, settings_and_logs
from worker.cli.options import All, Collections, FilesOrJobs, Json, LaneOption, Since, States, Until
from worker.cli.selection import Filters, job_ids, selection
from worker.console import jsonable, out, write_json
from worker.formatting import count
from worker.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.catalog import Selection


def retry(
    *,
    files: FilesOrJobs = None,
    collection: Collections = None,
    state: States = None,
    since: Since = None,
    until: Until = None,
    everything: All = False,
    json: Json = False,
) -> None:
    """Queue failed and cancelled jobs again, with all attempts, and release quarantined files."""
    from db.queue import commands

    settings = settings_and_logs()
    filters = Filters(collection or (), state or (), since, until, None, everything)
    with open_record(settings) as database:
        done = database.run(
            lambda s: commands.retry(s, _chosen(s, files or (), filters, settings), current_user())
        )
    if json:
        write_json(jsonable(done, {}))
    else:
        out().print(
            f"{count(done.jobs, 'job')} queued again, {count(done.scans, 'scan')} released from quarantine, "
            f"{count(done.sightings, 'file')} to be read again. The inbox is scanned now."
        )


def cancel(
    *,
    files: FilesOrJobs = None,
    collection: Collections = None,
    state: States = None,
    since: Since = None,
    until: Until = None,
    everything: All = False,
    json: Json = False,
) -> None:
    """Cancel queued jobs and ask running ones to stop; `saek retry` queues them again."""
    from db.queue import commands

    settings = settings_and_logs()
    filters = Filters(collection or (), state or (), since, until, None, everything)
    with open_record(settings) as database:
        done = database.run(
            lambda s: commands.cancel(s, _chosen(s, files or (), filters, settings), current_user())
        )
    if json:
        write_json(jsonable(done, {}))
    else:
        out().print(
            f"{count(done.cancelled, 'job')} cancelled, {count(done.requested, 'running job')} asked to stop."
        )


def pause(lane: LaneOption = None, json: Json = False) -> None:
    """Pause the queue or one lane; running jobs go back to the queue."""
    from db.queue import commands

    with open_record(settings_and_logs()) as database, database.begin() as s:
        changed = commands.pause(s, lane, current_user())
    _print_change(lane, json, changed=changed, done="is paused", before="was already paused")


def resume(lane: LaneOption = None, json: Json = False) -> None:
    """Resume the paused queue or one lane."""
    from db.queue import commands

    with open_record(settings_and_logs()) as database, database.begin() as s:
        changed = commands.resume(s, lane, current_user())
    _print_change(lane, json, changed=changed, done="is resumed", before="was not paused")


def _chosen(
    s: "Session", words: Sequence[str], filters: Filters, settings: Settings
) -> "Selection | tuple[int, ...]":
    jobs = job_ids(s, words, settings)
    if not jobs:
        return selection(s, words, filters, settings)
    if len(jobs) < len(words) or filters != Filters():
        raise typer.BadParameter(
            "job:N cannot be combined with files or other options; use a separate command for them"
        )
    return jobs


def _print_change(lane: Lane | None, json: bool, *, changed: bool, done: str, before: str) -> None:
    if json:
        write_json({"lane": lane and lane.value, "changed": changed})
    else:
        name = "The queue" if lane is None else f"The {lane} lane"
        out().print(f"{name} {done if changed else before}.")
