"""Whether a file is a derivative that Saek made, by its XMP packet."""

from pathlib import Path

from restoration.errors import AlreadyRestored, display_name
from restoration.masters.metadata.xmp_reader import iterate_properties
from restoration.masters.metadata.xmp_vocabulary import SAEK


def saek_properties(xmp: bytes) -> dict[str, str]:
    """Return the saek properties of a packet that `packet` wrote, empty for any other."""
    prefix = f"{{{SAEK}}}"
    found: dict[str, str] = {}
    for name, value in iterate_properties(xmp):
        if name.startswith(prefix):
            found.setdefault(name.removeprefix(prefix), value.text or "")
    return found


def require_master(xmp: bytes, path: Path) -> None:
    """Raise AlreadyRestored if the packet of a file says that it was made by this software."""
    facts = saek_properties(xmp)
    if {"masterSha256", "recipeFingerprint"} <= facts.keys():
        master = display_name(facts["masterSha256"][:12])
        raise AlreadyRestored(
            reason=f"Saek made it, from a master with the sha256 {master}…",
            remedy="restore that master instead; keep derivatives out of the inbox",
            path=path,
        )
