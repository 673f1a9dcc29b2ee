"""Whether a file under its final name is still being transferred, as another one beside it tells."""

import os
from pathlib import Path
from typing import Final

_CONTROLS: Final = (b".aria2", b".lftp-pget-status")
"""aria2 and lftp give the whole room to the file at once, and keep what is still missing beside it."""

_PLACEHOLDER: Final = b".part"
"""Firefox holds the name by an empty file while it writes to another one."""


def is_incomplete(root: Path, path: bytes, size: int) -> bool:
    """Whether the file of that size at `path`, below `root`, is none that a transfer has ended with."""
    full = os.path.join(os.fsencode(root), path)  # noqa: PTH118  (bytes)
    beside = _CONTROLS if size else (*_CONTROLS, _PLACEHOLDER)
    return any(os.path.lexists(full + suffix) for suffix in beside)
