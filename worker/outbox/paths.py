"""Where a derivative lies, and how it appears there whole or not at all."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restoration import NoSpace, draft, read_disclosure, writing_to
from worker.settings import Settings

OUTBOX = "outbox"
"""Name of the root that derivative paths in the record are relative to."""

_NAME_BYTES = 200  # of 255, so that drafts of the same name fit too


_DIGITS = ((12, 8), (64, 64))
"""How many digits of the checksum and of the fingerprint a name has; more where those are another's."""

_OLD_DIGITS = ((8, 8),)
"""How many it had in releases before; such names stay as they are."""


def derivative_names(master: bytes, scan_sha256: str, fingerprint: str, suffix: str) -> tuple[bytes, ...]:
    """Return the names that a derivative may have, relative to the outbox, the first choice first.

    Each has the master's folder and stem, then which scan and recipe: versions by other recipes and contents
    of the same name lie side by side. The last has all digits of both, and is nobody else's.
    """
    return tuple(_name(master, scan_sha256, fingerprint, suffix, digits) for digits in _DIGITS)


def is_derivative_name(name: bytes, master: bytes, scan_sha256: str, fingerprint: str) -> bool:
    """Whether a derivative of this name is where one looks for that of the master, by any release's rule."""
    suffix = os.path.splitext(name)[1].decode("ascii", "replace")  # noqa: PTH122  (bytes)
    rules = (*_DIGITS, *_OLD_DIGITS)
    return any(name == _name(master, scan_sha256, fingerprint, suffix, digits) for digits in rules)


def _name(master: bytes, scan_sha256: str, fingerprint: str, suffix: str, digits: tuple[int, int]) -> bytes:
    folder, slash, name = master.rpartition(b"/")
    stem = name.rpartition(b".")[0] or name
    scan, recipe = digits
    tail = f".{scan_sha256[:scan]}-{fingerprint[:recipe]}{suffix}".encode()
    room = _NAME_BYTES - len(tail)
    short = stem[:room].decode("utf-8", "ignore").encode() if len(stem) > room else stem
    return folder + slash + short + tail


def belongs_to_another(final: Path, scan_sha256: str, fingerprint: str) -> bool:
    """Whether a file lies there that is no derivative of this scan by this recipe, as its own label tells."""
    try:
        if not stat.S_ISREG(final.lstat().st_mode):
            return True
    except FileNotFoundError:
        return False
    facts = read_disclosure(final)
    return (facts.get("masterSha256"), facts.get("recipeFingerprint")) != (scan_sha256, fingerprint)


def require_space(settings: Settings, wanted: int = 0) -> None:
    """Raise NoSpace if writing `wanted` bytes would leave less than `min_free_bytes` free in the outbox.

    Raises OutputUnavailable while it is away.
    """
    with writing_to(settings.outbox_path):
        status = os.statvfs(settings.outbox_path)
    free = status.f_bavail * status.f_frsize
    if free < settings.min_free_bytes + wanted:
        raise NoSpace(
            reason=f"only {free / 1e6:,.0f} MB are free in {settings.outbox_path}",
            remedy=f"free some space; work goes on by itself at "
            f"{(settings.min_free_bytes + wanted) / 1e6:,.0f} MB "
            "(SAEK_MIN_FREE_BYTES)",
        )


@contextmanager
def work_draft(final: Path, work: str, token: int = 0) -> Iterator[Path]:
    """Yield a draft beside `final` that only this holder of the work writes to; nothing stays there.

    `work` is a word that names it, such as `job7`; `token` is the fencing token. Drafts that killed holders
    of earlier tokens left behind are removed first. Raises as `restoration.writing_to`.
    """
    with writing_to(final.parent):
        final.parent.mkdir(parents=True, exist_ok=True)
    if token > 1:  # the first holder has nothing to clear, and need not look through 100,000 files
        clear_drafts(final.parent, work)
    with draft(final, f".saek-{work}-{token}{final.suffix}") as path:
        yield path


def clear_drafts(folder: Path, work: str) -> None:
    """Remove what killed holders of a work left in a folder. Raises as `restoration.writing_to`."""
    with writing_to(folder):
        for stale in folder.glob(f".*saek-{work}-*"):
            stale.unlink(missing_ok=True)
