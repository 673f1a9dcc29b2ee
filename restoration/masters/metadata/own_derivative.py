"""Recognition of derivatives that Saek made, by their XMP packet."""

from pathlib import Path

from restoration.errors import AlreadyRestored, display_name
from restoration.masters.metadata.xmp_reader import iterate_properties
from restoration.masters.metadata.xmp_vocabulary import SAEK


def saek_properties(xmp: bytes) -> dict[str, str]:
    """Return the Saek properties of an XMP packet by name; empty for a packet of other software."""
    prefix = f"{{{SAEK}}}"
    found: dict[str, str] = {}
    for name, value in iterate_properties(xmp):
        if name.startswith(prefix):
            found.setdefault(name.removeprefix(prefix), value.text or "")
    return found


def require_master(xmp: bytes, path: Path) -> None:
    """Raise AlreadyRestored if the packet of a file says that Saek made it."""
    properties = saek_properties(xmp)
    if {"masterSha256", "recipeFingerprint"} <= properties.keys():
        master = display_name(properties["masterSha256"][:12])
        raise AlreadyRestored(
            reason=f"Saek made it, from a master with the sha256 {master}…",
            remedy="restore that master instead; keep derivatives out of the inbox",
            path=path,
        )
