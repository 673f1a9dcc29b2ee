"""Metadata properties of one block of a master, by XMP name."""

from dataclasses import dataclass, field
from typing import Final

from restoration.masters.metadata.text_encoding import DecodedText

_MAX_TEXTS: Final = 1_000
"""Texts of one field."""


@dataclass(slots=True)
class MetadataProperties:
    """Properties that one block holds, and what is odd about it."""

    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    """Guessed encodings of fields, by their names."""
    noted: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    damaged: bool = False

    def add(self, name: str, *texts: DecodedText) -> None:
        """Add the texts that are not empty to a field."""
        known = self.fields.get(name, ())
        if len(known) >= _MAX_TEXTS:
            self.left_out.append(f"{name} (more than {_MAX_TEXTS:,} texts)")
            return
        self.fields[name] = (*known, *(one.text for one in texts if one.text))[:_MAX_TEXTS]
        for note in filter(None, (one.note for one in texts)):
            self.notes.setdefault(name, note)
        if not self.fields[name]:
            del self.fields[name]
