"""`saek retry`, `cancel`, `pause` and `resume`: what a person can order of work that is on record."""

import getpass
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from db.vocabulary import Lane
from worker.cli.context import open_record, settings_and_logs
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
    what: FilesOrJobs = None,
    collection: Collections = None,
    state: States = None,
    since: Since = None,
    until: Until = None,
    everything: All = False,
    json: Json = False,
) -> None:
    """Queue what failed or was cancelled anew, with all its attempts, and release what is quarantined."""
    from db.queue import commands

    settings = settings_and_logs()
    conditions = Filters(collection or (), state or (), since, until, None, everything)
    with open_record(settings) as database:
        done = database.run(
            lambda s: commands.retry(s, _chosen(s, what or (), conditions, settings), current_user())
        )
    if json:
        write_json(jsonable(done, {}))
    else:
        out().print(
            f"{count(done.jobs, 'job')} queued again, {count(done.scans, 'scan')} released from quarantine, "
            f"{count(done.sightings, 'file')} to be taken in anew: the inbox is looked through at once."
        )


def cancel(
    *,
    what: FilesOrJobs = None,
    collection: Collections = None,
    state: States = None,
    since: Since = None,
    until: Until = None,
    everything: All = False,
    json: Json = False,
) -> None:
    """Cancel queued jobs, and ask running ones to stop; `saek retry` takes it back."""
    from db.queue import commands

    settings = settings_and_logs()
    conditions = Filters(collection or (), state or (), since, until, None, everything)
    with open_record(settings) as database:
        done = database.run(
            lambda s: commands.cancel(s, _chosen(s, what or (), conditions, settings), current_user())
        )
    if json:
        write_json(jsonable(done, {}))
    else:
        out().print(
            f"{count(done.cancelled, 'job')} cancelled, {count(done.requested, 'running job')} asked to stop."
        )


def pause(lane: LaneOption = None, json: Json = False) -> None:
    """Hold the queue, or one lane of it; what runs in it goes back to the queue."""
    from db.queue import commands

    with open_record(settings_and_logs()) as database, database.begin() as s:
        changed = commands.pause(s, lane, current_user())
    _tell(lane, json, changed=changed, done="is paused", before="was paused already")


def resume(lane: LaneOption = None, json: Json = False) -> None:
    """Let a paused queue go on."""
    from db.queue import commands

    with open_record(settings_and_logs()) as database, database.begin() as s:
        changed = commands.resume(s, lane, current_user())
    _tell(lane, json, changed=changed, done="goes on", before="was not paused")


def current_user() -> str:
    """Return who gives the order, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        return f"uid {os.getuid()}"


def _chosen(
    s: "Session", words: Sequence[str], conditions: Filters, settings: Settings
) -> "Selection | tuple[int, ...]":
    jobs = job_ids(s, words, settings)
    if not jobs:
        return selection(s, words, conditions, settings)
    if len(jobs) < len(words) or conditions != Filters():
        raise typer.BadParameter(
            "job:N is an order for that job alone; choose files in a command of their own"
        )
    return jobs


def _tell(lane: Lane | None, json: bool, *, changed: bool, done: str, before: str) -> None:
    if json:
        write_json({"lane": lane and lane.value, "changed": changed})
    else:
        name = "The queue" if lane is None else f"The {lane} lane"
        out().print(f"{name} {done if changed else before}.")
