"""Incomplete transfers under the final name of a file, recognized by a control file beside it."""

import os
from pathlib import Path
from typing import Final

_CONTROLS: Final = (b".aria2", b".lftp-pget-status")
"""aria2 and lftp allocate the whole file at once, and list what is missing in a file beside it."""

_PLACEHOLDER: Final = b".part"
"""Firefox reserves the name by an empty file while it writes to this one."""


def is_incomplete(root: Path, path: bytes, size: int) -> bool:
    """Return whether the file of that size at `path` (relative to `root`) is still being transferred."""
    full = os.path.join(os.fsencode(root), path)  # noqa: PTH118  (bytes)
    beside = _CONTROLS if size else (*_CONTROLS, _PLACEHOLDER)
    return any(os.path.lexists(full + suffix) for suffix in beside)
