"""Work that came to nothing: what is quarantined, and which jobs failed."""

from worker.doctor.findings import Check, State
from worker.settings import Settings


def failures(settings: Settings) -> Check:
    """No file is quarantined, and no job failed, be it the first of its file or a later one."""
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
    except DatabaseError:  # told by the check of the database
        return Check("failures", State.WARNING, "unknown: the record cannot be read", _DATABASE)
    quarantined, failed = view.files[FileState.QUARANTINED], view.files[FileState.FAILED]
    again, cancelled = view.also[JobState.FAILED], view.also[JobState.CANCELLED]
    found = [
        (quarantined, "quarantined", "`saek status --state quarantined` tells why, file by file."),
        (failed, "failed", _FAILED),
        (again, "failed to be made again", _FAILED),
    ]
    told = [(f"{number:,} {words}", remedy) for number, words, remedy in found if number]
    stopped = view.files[FileState.CANCELLED] + cancelled
    aside = f"; {stopped:,} cancelled" if stopped else ""
    if not told:
        return Check("failures", State.OK, f"no file is quarantined and none failed{aside}")
    numbers, remedies = zip(*told, strict=True)
    return Check(
        "failures", State.WARNING, f"files: {', '.join(numbers)}{aside}", " ".join(dict.fromkeys(remedies))
    )


_DATABASE = "See the check `database`."
_FAILED = "`saek status --state failed` tells why; then `saek retry --state failed`."
