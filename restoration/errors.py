"""Errors of masters, models and pixels, each with a stable code, a reason and a remedy.

::

    RestorationError
    ├── MasterError             the file is at fault: set it aside, nothing else stops
    │   ├── MissingFile
    │   ├── UnreadableFile      permission or I/O
    │   ├── UnsafeFile          symbolic link, FIFO, socket, device, folder
    │   ├── EmptyFile
    │   ├── NotAnImage
    │   ├── UnsupportedImage    an image of a kind that is not restored
    │   ├── TruncatedImage      cut off or damaged pixel data
    │   ├── ImageTooLarge
    │   ├── ImplausiblePixels   decodes, but to noise
    │   ├── DecodersDisagree    two decoders see different pixels in it
    │   ├── AlreadyColor
    │   ├── AlreadyRestored     made by this software: restore its master instead
    │   └── MasterChanged       other bytes than were registered
    ├── ModelError              the recipe cannot be followed on this installation
    │   ├── UnknownModel
    │   ├── WeightsMismatch
    │   ├── RecipeOutdated      made for the pixel code of another version
    │   └── ModelRefused        an offered file is not a model that can be run
    ├── Transient               try again later; the master is not at fault
    │   ├── NoSpace
    │   ├── MasterUnavailable   the storage of the master is unavailable or failing
    │   ├── OutputUnavailable   the folder of the derivatives is unavailable or read-only
    │   ├── OutOfMemory
    │   └── EngineUnavailable
    ├── ReaderFailed            reading the master crashed, hung or exceeded its limits: a few more tries
    ├── OutputExists            another file has the name of the derivative
    └── LumaMismatch            a fault of Saek or of the machine: the derivative was removed
"""

import os
from pathlib import Path
from typing import ClassVar


def display_name(path: Path | str) -> str:
    """Return `path` as printable text: undecodable bytes and control characters are escaped."""
    try:
        text = os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a surrogate pair, which no name of a file can hold
        text = str(path)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class RestorationError(Exception):
    """A failure with a stable `code` (kebab-case), a `reason`, a `remedy` and, where known, the `path`."""

    code: ClassVar[str] = "restoration-error"

    def __init__(self, *, reason: str, remedy: str, path: Path | str | None = None) -> None:
        super().__init__(reason, remedy, path)
        self.reason = reason
        self.remedy = remedy
        self.path = None if path is None else Path(path)

    def __reduce__(self) -> tuple[object, ...]:
        """Make the error picklable, for its way from a worker process to the parent."""
        return _rebuild, (type(self), self.reason, self.remedy, self.path)

    def __str__(self) -> str:
        subject = "" if self.path is None else f"{display_name(self.path)}: "
        return f"{subject}{self.reason}; {self.remedy}"


def _rebuild(kind: type[RestorationError], reason: str, remedy: str, path: Path | None) -> RestorationError:
    return kind(reason=reason, remedy=remedy, path=path)


class MasterError(RestorationError):
    """The master is at fault; trying again changes nothing."""

    code = "master-error"


class MissingFile(MasterError):
    """The file does not exist, or no longer."""

    code = "missing-file"


class UnreadableFile(MasterError):
    """The file exists but its bytes cannot be read."""

    code = "unreadable-file"


class UnsafeFile(MasterError):
    """The path is not a regular file."""

    code = "unsafe-file"


class EmptyFile(MasterError):
    """The file holds no bytes."""

    code = "empty-file"


class NotAnImage(MasterError):
    """The first bytes are not those of an image format."""

    code = "not-an-image"


class UnsupportedImage(MasterError):
    """An image, but of a kind that is not restored (CMYK, floating point, several pages...)."""

    code = "unsupported-image"


class TruncatedImage(MasterError):
    """The pixel data are cut off or damaged."""

    code = "truncated-image"


class ImageTooLarge(MasterError):
    """The header claims more pixels or bytes than the limits allow."""

    code = "image-too-large"


class ImplausiblePixels(MasterError):
    """The pixels can be decoded, but are noise: the data do not match the header."""

    code = "implausible-pixels"


class DecodersDisagree(MasterError):
    """Two independent decoders see different pixels in the file."""

    code = "decoders-disagree"


class AlreadyColor(MasterError):
    """A color picture; Saek colors monochrome scans only."""

    code = "already-color"


class AlreadyRestored(MasterError):
    """A derivative or a confidence map of Saek, not a master."""

    code = "already-restored"


class MasterChanged(MasterError):
    """The bytes are not those that were registered, or changed during the work."""

    code = "master-changed"


class ModelError(RestorationError):
    """The recipe names a model that this installation cannot run."""

    code = "model-error"


class UnknownModel(ModelError):
    """No model of that name is registered."""

    code = "unknown-model"


class WeightsMismatch(ModelError):
    """The weights file is missing or is not the one that the model card or recipe names."""

    code = "weights-mismatch"


class RecipeOutdated(ModelError):
    """The recipe is for another version of the pixel code, which would give other pixels."""

    code = "recipe-outdated"


class ModelRefused(ModelError):
    """A file that was offered as a model cannot be run, or may not have that name."""

    code = "model-refused"


class Transient(RestorationError):
    """A temporary cause: the same work may succeed later."""

    code = "transient"


class NoSpace(Transient):
    """The disk is full."""

    code = "no-space"


class MasterUnavailable(Transient):
    """The storage of the master is unavailable or failing; the master itself may be sound."""

    code = "master-unavailable"


class OutputUnavailable(Transient):
    """The folder of the derivative is unavailable, read-only or failing."""

    code = "output-unavailable"


class OutOfMemory(Transient):
    """Not enough main or accelerator memory."""

    code = "out-of-memory"


class EngineUnavailable(Transient):
    """The requested engine or device cannot be opened now."""

    code = "engine-unavailable"


class ReaderFailed(RestorationError):
    """The process that read the master crashed, hung or exceeded its limits.

    The master is most likely at fault; another try shows it.
    """

    code = "reader-failed"


class OutputExists(RestorationError):
    """Another file has the name of the derivative; it was not touched."""

    code = "output-exists"


class LumaMismatch(RestorationError):
    """The derivative does not have the luma of its master; it was removed."""

    code = "luma-mismatch"
