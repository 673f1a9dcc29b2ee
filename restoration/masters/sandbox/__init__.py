"""Files that nobody vouches for are read in a process that may die of it: see `reader`."""

from pathlib import Path

from restoration.masters.facts import Limits, ScanFacts
from restoration.masters.sandbox.client import MasterOverview, Reader, shared_reader

__all__ = ["MasterOverview", "Reader", "identify", "shared_reader"]


def identify(
    path: Path,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    reader: Reader | None = None,
) -> ScanFacts:
    """Return what the header of the master at `path` says, read by a process of its own.

    `reader` is that process, by default the one that this process shares for all its files.

    Raises MissingFile, UnsafeFile, UnreadableFile, EmptyFile, NotAnImage, UnsupportedImage, TruncatedImage or
    ImageTooLarge; ReaderFailed if reading it crashes, hangs or takes too much; Transient.
    """
    return (reader or shared_reader()).identify(path, limits)
