"""Python starts with this where its folder is on PYTHONPATH: the wall clock is as far off as a file says.

Only Python's own `time.time` is turned, which is where the record's clock on SQLite, kombu and Celery look.
"""

import os
import time
from pathlib import Path

_true = time.time
_offset = Path(os.environ["TURNED_CLOCK"])


def _turned() -> float:
    return _true() + float(_offset.read_text())


time.time = _turned
