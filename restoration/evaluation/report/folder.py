"""How a report appears: whole, or not at all, and never over something that is no report."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restoration.atomic_write import writing_to
from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.report.strips import StripFolder

PAGE = "index.html"
DOCUMENT = "evaluation.json"


@contextmanager
def report_folder(out: Path | None) -> Iterator[StripFolder | None]:
    """Yield an album to show the pictures to; on leaving, its folder takes the name `out`.

    Whatever leaves the body by an error takes the unfinished folder with it, and an earlier report stays.
    Yields None if no report is wanted. Raises EvaluationError if `out` holds anything but a report, NoSpace,
    OutputUnavailable.
    """
    if out is None:
        yield None
        return
    _require_replaceable(out)
    out = out.resolve()
    draft = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    with writing_to(out.parent):
        draft.mkdir(parents=True)
    try:
        yield StripFolder(draft)
        with writing_to(out.parent):
            if out.exists():
                shutil.rmtree(out)
            draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _require_replaceable(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        found = "a file or a link has this name"
    elif out.is_dir() and any(out.iterdir()) and not all((out / name).is_file() for name in (PAGE, DOCUMENT)):
        found = "the folder holds something that is no report"
    else:
        return
    raise EvaluationError(
        reason=found, remedy="choose an empty folder, or one with an earlier report", path=out
    )
