"""Errors of masters, models and pixels, each with a stable code, a reason and a remedy.

::

    RestorationError
    ├── MasterError             the file is at fault: set it aside, nothing else stops
    │   ├── MissingFile
    │   ├── UnreadableFile      permission or I/O
    │   ├── UnsafeFile          symbolic link, FIFO, socket, device, folder
    │   ├── EmptyFile
    │   ├── NotAnImage
    │   ├── UnsupportedImage    an image, but not of a kind that is restored
    │   ├── TruncatedImage      cut off or damaged pixel data
    │   ├── ImageTooLarge
    │   ├── ImplausiblePixels   decodes, but to noise
    │   ├── DecodersDisagree    two decoders see different pixels in it
    │   ├── AlreadyColor
    │   ├── AlreadyRestored     made by this software: its master is to be restored instead
    │   └── MasterChanged       not the bytes that were registered
    ├── ModelError              the recipe cannot be followed on this installation
    │   ├── UnknownModel
    │   ├── WeightsMismatch
    │   ├── RecipeOutdated      made for the pixel code of another version
    │   └── ModelRefused        a file that was offered as a model is none that can be run
    ├── Transient               try again later; the master is not to blame
    │   ├── NoSpace
    │   ├── MasterUnavailable   the storage that holds the master is away or failing
    │   ├── OutputUnavailable   the folder of the derivatives is away or read-only
    │   ├── OutOfMemory
    │   └── EngineUnavailable
    ├── ReaderFailed            reading it crashed, hung or took too much: tried again, but not for ever
    ├── OutputExists            another file lies where the derivative should be
    └── LumaMismatch            our own fault: the derivative was not written
"""

import os
from pathlib import Path
from typing import ClassVar


def display_name(path: Path | str) -> str:
    """Return `path` as printable text: undecodable bytes and controls of all kinds show as escapes."""
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
        """Survive the pickling between a worker process and its parent."""
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
    """There is no such file any more."""

    code = "missing-file"


class UnreadableFile(MasterError):
    """The file exists but its bytes cannot be read."""

    code = "unreadable-file"


class UnsafeFile(MasterError):
    """The name leads to something other than a regular file."""

    code = "unsafe-file"


class EmptyFile(MasterError):
    """The file holds no bytes."""

    code = "empty-file"


class NotAnImage(MasterError):
    """The first bytes are those of no image format."""

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
    """The pixels can be decoded, but no picture looks like that."""

    code = "implausible-pixels"


class DecodersDisagree(MasterError):
    """Two independent decoders see different pixels in the file, so nobody knows which picture it holds."""

    code = "decoders-disagree"


class AlreadyColor(MasterError):
    """A color picture: it is never repainted."""

    code = "already-color"


class AlreadyRestored(MasterError):
    """A derivative or a map of confidence that this software made: it is no master."""

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
    """The recipe was made for the pixel code of another version, so its pixels cannot be made here."""

    code = "recipe-outdated"


class ModelRefused(ModelError):
    """A file that was offered as a model is none that can be run, or may not have that name."""

    code = "model-refused"


class Transient(RestorationError):
    """Circumstances are at fault: the same work may succeed later."""

    code = "transient"


class NoSpace(Transient):
    """The disk is full."""

    code = "no-space"


class MasterUnavailable(Transient):
    """The storage that holds the master is away or failing; nothing is known of the master itself."""

    code = "master-unavailable"


class OutputUnavailable(Transient):
    """The folder that the derivative belongs into is away, read-only or failing."""

    code = "output-unavailable"


class OutOfMemory(Transient):
    """Main or accelerator memory did not suffice."""

    code = "out-of-memory"


class EngineUnavailable(Transient):
    """The engine or device that was asked for cannot be opened now."""

    code = "engine-unavailable"


class ReaderFailed(RestorationError):
    """The process that read the master crashed, hung or went beyond its limits.

    The master is most likely at fault, but only trying again tells.
    """

    code = "reader-failed"


class OutputExists(RestorationError):
    """Another file lies under the derivative's name; it was not touched."""

    code = "output-exists"


class LumaMismatch(RestorationError):
    """The derivative did not give the master back; it was removed."""

    code = "luma-mismatch"
