"""Which names in the inbox are no scans: droppings of systems, sync tools and unfinished transfers."""

import re

_FOLDERS = re.compile(
    rb"(?i)^(?:@eadir|#recycle|\$recycle\.bin|system volume information|\.[^/]+|__macosx|lost\+found)$"
)
_FILES = re.compile(
    rb"(?i)^(?:\..*|thumbs\.db|desktop\.ini|~\$.*|.*~"
    rb"|.*\.(?:part|partial|filepart|crdownload|download|tmp|temp|swp|!ut|!qb))$"
)


def ignored_folder(name: bytes) -> bool:
    """Whether a folder of this name is passed over with all it holds."""
    return _FOLDERS.match(name) is not None


def ignored_file(name: bytes) -> bool:
    """Whether a file of this name is passed over; it is looked at again when it is renamed."""
    return _FILES.match(name) is not None


def ignored(relative: bytes) -> bool:
    """Whether the path (relative to the inbox) is passed over for its own or a folder's name."""
    *folders, name = relative.split(b"/")
    return ignored_file(name) or any(map(ignored_folder, folders))
