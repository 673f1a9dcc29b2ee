"""Small files in the home's run folder that tell of processes that run now."""

from pathlib import Path


def replace_run_file(path: Path, text: str) -> None:
    """Replace a file whole, by way of a draft beside it. Raises OSError.

    Unlike `restoration.write_file` it waits for no disk, and loads no picture library: what the file tells
    ends with the machine.
    """
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
