"""What one block of a master's metadata says, by XMP property."""

from dataclasses import dataclass, field
from typing import Final

from restoration.masters.metadata.text_encoding import DecodedText

_MOST_TEXTS: Final = 1_000
"""Of one field."""


@dataclass(slots=True)
class MetadataProperties:
    """What one block says."""

    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    """How a field was read, by its name."""
    noted: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    damaged: bool = False

    def add(self, name: str, *texts: DecodedText) -> None:
        """Add what is not empty to a field."""
        known = self.fields.get(name, ())
        if len(known) >= _MOST_TEXTS:
            self.left_out.append(f"{name} (more than {_MOST_TEXTS:,} texts)")
            return
        self.fields[name] = (*known, *(one.text for one in texts if one.text))[:_MOST_TEXTS]
        for note in filter(None, (one.note for one in texts)):
            self.notes.setdefault(name, note)
        if not self.fields[name]:
            del self.fields[name]
