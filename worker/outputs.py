"""Where a derivative lies, and how it appears there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restoration import NoSpace, publish, writing_to
from worker.settings import Settings

OUTBOX = "outbox"
"""Name of the root that derivative paths in the record are relative to."""

_NAME_BYTES = 200  # of 255, so that drafts of the same name fit too


def derivative_path(master: bytes, scan_sha256: str, fingerprint: str, suffix: str) -> bytes:
    """Return the path, relative to the outbox: the master's folder and stem, then which scan and recipe.

    Versions by other recipes and contents of the same name lie side by side.
    """
    folder, slash, name = master.rpartition(b"/")
    stem = name.rpartition(b".")[0] or name
    tail = f".{scan_sha256[:8]}-{fingerprint[:8]}{suffix}".encode()
    room = _NAME_BYTES - len(tail)
    short = stem[:room].decode("utf-8", "ignore").encode() if len(stem) > room else stem
    return folder + slash + short + tail


def require_space(settings: Settings) -> None:
    """Raise NoSpace below `min_free_bytes` in the outbox, OutputUnavailable while it is away."""
    with writing_to(settings.outbox_path):
        status = os.statvfs(settings.outbox_path)
    free = status.f_bavail * status.f_frsize
    if free < settings.min_free_bytes:
        raise NoSpace(
            reason=f"only {free / 1e6:,.0f} MB are free in {settings.outbox_path}",
            remedy=f"free some space; work goes on by itself at {settings.min_free_bytes / 1e6:,.0f} MB "
            "(SAEK_MIN_FREE_BYTES)",
        )


@contextmanager
def draft(final: Path, work: str, token: int = 0) -> Iterator[Path]:
    """Yield a name beside `final` that only this holder of the work writes to; nothing stays there.

    `work` is a word that names it, such as `job7`; `token` is the fencing token. Drafts that killed holders
    of earlier tokens left behind are removed first. Raises as `restoration.writing_to`.
    """
    with writing_to(final.parent):
        final.parent.mkdir(parents=True, exist_ok=True)
    if token > 1:  # the first holder has nothing to clear, and need not look through 100,000 files
        clear_drafts(final.parent, work)
    path = final.parent / f".saek-{work}-{token}{final.suffix}"
    try:
        yield path
    finally:
        with writing_to(final.parent):  # what made the work fail may keep the draft from being removed
            path.unlink(missing_ok=True)


def clear_drafts(folder: Path, work: str) -> None:
    """Remove what killed holders of a work left in a folder. Raises as `restoration.writing_to`."""
    with writing_to(folder):
        for stale in folder.glob(f".*saek-{work}-*"):
            stale.unlink(missing_ok=True)


def publish_draft(path: Path, final: Path) -> None:
    """Give the finished draft its name, durably. Call it inside the transaction that records it."""
    with writing_to(final.parent):
        publish(path, final)
