"""Run files: small files in the run folder of the home with the state of running processes."""

from pathlib import Path


def replace_run_file(path: Path, text: str) -> None:
    """Replace a file by a draft that is renamed. Raises OSError.

    Unlike `restoration.write_file` it does not sync, since the file is of no use after a restart, and it
    loads no picture library.
    """
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
