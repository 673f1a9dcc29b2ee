"""The names of derivatives in the outbox, its free space, and the drafts of derivatives."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restoration import NoSpace, draft, read_disclosure, writing_to
from worker.settings import Settings

OUTBOX = "outbox"
"""Name of the root that the record uses for paths of derivatives."""

_NAME_BYTES = 200  # of 255, so that drafts of the name fit too


_DIGITS = ((12, 8), (64, 64))
"""Numbers of digits of checksum and fingerprint in a name; the second if the first name is taken."""

_OLD_DIGITS = ((8, 8),)
"""Numbers of digits in earlier releases, whose names stay as they are."""


def derivative_names(master: bytes, scan_sha256: str, fingerprint: str, suffix: str) -> tuple[bytes, ...]:
    """Return the names that a derivative may have, relative to the outbox, first choice first.

    Each has the folder and stem of the master, then digits of scan and recipe, so that other contents and
    recipes for the same master have names of their own. The last has all digits of both and is unique.
    """
    return tuple(_name(master, scan_sha256, fingerprint, suffix, digits) for digits in _DIGITS)


def is_derivative_name(name: bytes, master: bytes, scan_sha256: str, fingerprint: str) -> bool:
    """Return whether this is a name of the derivative of that master, by the rule of any release."""
    suffix = os.path.splitext(name)[1].decode("ascii", "replace")  # noqa: PTH122  (bytes)
    rules = (*_DIGITS, *_OLD_DIGITS)
    return any(name == _name(master, scan_sha256, fingerprint, suffix, digits) for digits in rules)


def _name(master: bytes, scan_sha256: str, fingerprint: str, suffix: str, digits: tuple[int, int]) -> bytes:
    folder, slash, name = master.rpartition(b"/")
    stem = name.rpartition(b".")[0] or name
    scan, recipe = digits
    tail = f".{scan_sha256[:scan]}-{fingerprint[:recipe]}{suffix}".encode()
    limit = _NAME_BYTES - len(tail)
    short = stem[:limit].decode("utf-8", "ignore").encode() if len(stem) > limit else stem
    return folder + slash + short + tail


def belongs_to_another(final: Path, scan_sha256: str, fingerprint: str) -> bool:
    """Return whether a file exists there whose own metadata do not name this scan and this recipe."""
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
            remedy=f"free some space; work continues automatically at "
            f"{(settings.min_free_bytes + wanted) / 1e6:,.0f} MB "
            "(SAEK_MIN_FREE_BYTES)",
        )


@contextmanager
def work_draft(final: Path, work: str, token: int = 0) -> Iterator[Path]:
    """Yield a draft beside `final` that only this process writes to; a file left there is removed.

    `work` names the work, such as `job7`; `token` is its fencing token. Drafts that killed processes with
    earlier tokens left behind are removed first. Raises as `restoration.writing_to`.
    """
    with writing_to(final.parent):
        final.parent.mkdir(parents=True, exist_ok=True)
    if token > 1:  # the first holder need not search a folder of 100,000 files
        clear_drafts(final.parent, work)
    with draft(final, f".saek-{work}-{token}{final.suffix}") as path:
        yield path


def clear_drafts(folder: Path, work: str) -> None:
    """Remove the drafts that killed processes left in a folder. Raises as `restoration.writing_to`."""
    with writing_to(folder):
        for stale in folder.glob(f".*saek-{work}-*"):
            stale.unlink(missing_ok=True)
