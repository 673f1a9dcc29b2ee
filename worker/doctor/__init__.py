"""Checks of the installation and the station, one function each."""

from collections.abc import Callable, Iterator

from worker.doctor.findings import Check, State
from worker.doctor.installation import engine, libvips, model, models, pillow, text
from worker.doctor.servers import broker, database, encryption
from worker.doctor.storage import clock, disk, home, inbox, looks, outbox, overlap, places, private, watching
from worker.doctor.work import failures, parts, waiting
from worker.settings import Settings

__all__ = ["Check", "State", "examine"]


def examine(settings: Settings) -> Iterator[Check]:
    """Yield the result of every check; one that raises is a failed check, and the others still run."""
    for check in _CHECKS:
        try:
            yield check(settings)
        except Exception as error:  # noqa: BLE001  (an unexpected error is a finding too)
            name = check.__name__.replace("_", " ")
            found = getattr(error, "reason", None) or f"{type(error).__name__}: {error}"
            remedy = getattr(error, "remedy", None) or "Report this with the output of `saek settings`."
            yield Check(name, State.FAILED, found, remedy)


_CHECKS: tuple[Callable[[Settings], Check], ...] = (
    home,
    inbox,
    outbox,
    overlap,
    private,
    encryption,
    disk,
    places,
    waiting,
    failures,
    watching,
    looks,
    database,
    broker,
    parts,
    model,
    models,
    libvips,
    pillow,
    engine,
    clock,
    text,
)
