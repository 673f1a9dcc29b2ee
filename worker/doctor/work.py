"""Checks of the work: failures, waits, and parts that exit."""

from worker.doctor.findings import Check, State
from worker.formatting import count, moment
from worker.settings import Settings
from worker.storage.home import is_station_running

_FAILED = "Run `saek status --state failed` for the reasons, then `saek retry --state failed`."


def failures(settings: Settings) -> Check:
    """Check for quarantined files and failed jobs."""
    from db.core import open_database
    from db.errors import DatabaseError
    from db.reports import overview
    from db.vocabulary import FileState, JobState

    if settings.database_url is None and not (settings.home / "saek.db").exists():
        return Check("failures", State.OK, "there is no record yet")
    try:
        database = open_database(settings.database_address())
        try:
            with database.read() as s:
                view = overview(s)
        finally:
            database.dispose()
    except DatabaseError:  # reported by the check `database`
        return Check(
            "failures", State.WARNING, "unknown: the record cannot be read", "See the check `database`."
        )
    quarantined, failed = view.files[FileState.QUARANTINED], view.files[FileState.FAILED]
    again, cancelled = view.also[JobState.FAILED], view.also[JobState.CANCELLED]
    found = [
        (quarantined, "quarantined", "Run `saek status --state quarantined` for the reasons."),
        (failed, "failed", _FAILED),
        (again, "failed when reprocessed", _FAILED),
    ]
    lines = [(f"{number:,} {words}", remedy) for number, words, remedy in found if number]
    stopped = view.files[FileState.CANCELLED] + cancelled
    aside = f"; {stopped:,} cancelled" if stopped else ""
    if not lines:
        return Check("failures", State.OK, f"no file is quarantined and none failed{aside}")
    numbers, remedies = zip(*lines, strict=True)
    return Check(
        "failures", State.WARNING, f"files: {', '.join(numbers)}{aside}", " ".join(dict.fromkeys(remedies))
    )


def waiting(settings: Settings) -> Check:
    """Check for parts and jobs that wait for a transient cause."""
    from worker.parts.wait_reporter import waiting_parts_and_jobs

    parts, jobs = waiting_parts_and_jobs(settings)
    codes = {job.code for job in jobs}
    lines = [
        (f"{job.jobs} of the queued jobs wait since {moment(job.since)}: {job.reason}", job.remedy or "")
        for job in jobs
    ]
    lines += [
        (f"{part.part} waits since {moment(part.since)}: {part.reason}", part.remedy)
        for part in parts
        if part.code not in codes
    ]
    if not lines:
        return Check("waiting", State.OK, "nothing waits")
    found, remedies = zip(*lines, strict=True)
    return Check("waiting", State.WARNING, "; ".join(found), "; ".join(dict.fromkeys(remedies)))


def parts(settings: Settings) -> Check:
    """Check for parts of the station that exit unexpectedly."""
    from worker.parts.part_exits import read_part_exits

    ends = read_part_exits(settings)
    if not ends:
        found = "none has exited" if is_station_running(settings) else "no station is running here"
        return Check("parts", State.OK, found)
    found = "; ".join(
        f"{one.part} exited {count(one.times, 'time')} since {moment(one.since)}, last by {one.summary}"
        for one in ends
    )
    state = State.FAILED if any(one.failing for one in ends) else State.WARNING
    return Check("parts", state, found, "See its last message for the cause. The station starts it again.")
