"""Arguments of `restore`: input, output, and the means to compute."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from restoration.generators.loaded_model import LoadedModel, load_model
from restoration.generators.models import SHIPPED_ONLY, Library, model_card
from restoration.masters.facts import Limits

_DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Input:
    """The master to restore; it is only read."""

    path: Path
    sha256: str | None = None
    """Checksum (lowercase hex) that the file must have; None accepts any."""
    limits: Limits = _DEFAULT_LIMITS
    """Of the process that reads it first."""


@dataclass(frozen=True, slots=True)
class Output:
    """The files to write. Raises ValueError if both paths are one."""

    path: Path
    """Of the derivative."""
    confidence: Path | None = None
    """Of a map of how far the predicted colors can be trusted; None for no map.

    A gray PNG of the size that the colors are inferred at, 1536 pixels on the longer side or fewer (4096 for
    the preset native). It changes no pixel of the derivative.
    """
    tags: Mapping[str, str] = field(default_factory=dict)
    """Facts of the caller's own for the XMP packets, written as saek:NAME; names are XML names."""

    def __post_init__(self) -> None:
        """Check that each file has a path of its own."""
        if self.confidence == self.path:
            raise ValueError("the confidence needs a file of its own")

    @property
    def files(self) -> tuple[Path, ...]:
        """Paths of all files, the derivative first."""
        return (self.path,) if self.confidence is None else (self.path, self.confidence)


@dataclass(frozen=True, slots=True)
class Compute:
    """Engine, device and threads of a restoration, and where its model comes from."""

    engine: str = "auto"
    device: str = "auto"
    threads: int | None = None
    """Threads that compose and compress beside the one that decodes and writes.

    None for one a core, at most four.
    """
    library: Library = SHIPPED_ONLY
    """Library that is searched for the recipe's model."""
    model: LoadedModel | None = None
    """A model that is open already; `engine`, `device` and `library` are then not used."""

    def open_model(self, name: str) -> LoadedModel:
        """Return the open model, or open the one of this name. Raises ModelError, Transient."""
        return self.model or load_model(model_card(name, self.library), self.device, engine=self.engine)
