"""Untrusted files are read by a separate process, which may crash without harm to this one: see `client`."""

from pathlib import Path

from restoration.masters.facts import Limits, ScanFacts
from restoration.masters.sandbox.client import Reader, shared_reader
from restoration.masters.sandbox.overview import MasterOverview

__all__ = ["MasterOverview", "Reader", "identify", "shared_reader"]


def identify(
    path: Path,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    reader: Reader | None = None,
) -> ScanFacts:
    """Return what the header of the master at `path` says, read by a separate process.

    `reader` is that process, by default the one that this process shares for all its files.

    Raises MissingFile, UnsafeFile, UnreadableFile, EmptyFile, NotAnImage, UnsupportedImage, TruncatedImage or
    ImageTooLarge; ReaderFailed if the process crashes, hangs or exceeds its limits; Transient.
    """
    return (reader or shared_reader()).identify(path, limits)
