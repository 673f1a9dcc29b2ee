"""What a station needs, and whether it is there: one function a check."""

from collections.abc import Callable, Iterator

from worker.doctor.findings import Check, State
from worker.doctor.installation import engine, libvips, model, models, pillow, text
from worker.doctor.servers import broker, database, encryption, parts, waiting
from worker.doctor.storage import clock, disk, home, inbox, looks, outbox, overlap, places, private, watching
from worker.doctor.work import failures
from worker.settings import Settings

__all__ = ["CHECKS", "Check", "State", "examine"]


def examine(settings: Settings) -> Iterator[Check]:
    """Yield the outcome of every check; one that breaks down is a failed check, and the others still run."""
    for check in CHECKS:
        try:
            yield check(settings)
        except Exception as error:  # noqa: BLE001  (an unforeseen failure is what a doctor must tell of)
            name = check.__name__.replace("_", " ")
            yield Check(
                name,
                State.FAILED,
                _words(error),
                _remedy(error, "Report this with the output of saek settings."),
            )


CHECKS: tuple[Callable[[Settings], Check], ...] = (
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


def _words(error: Exception) -> str:
    return getattr(error, "reason", None) or f"{type(error).__name__}: {error}"


def _remedy(error: Exception, otherwise: str) -> str:
    return getattr(error, "remedy", None) or otherwise
