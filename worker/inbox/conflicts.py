"""Names of conflict copies: two people changed a file, and a sync tool kept both versions.

A conflict copy holds a picture, so it is registered and reported: one of the two is probably not wanted.
"""

import re
import unicodedata

_NAMES = re.compile(
    r"""(?isx)
      .*\.sync-conflict-[0-9]{8}-[0-9]{6}(-[A-Z0-9]{7})?(\..*)?  # Syncthing
    | .*[(\[][^()\[\]]*(
          conflicted[ ]copy | conflicting[ ]copy | case[ ]conflict | unicode[ ]encoding[ ]conflict
        | white[ ]space[ ]conflict | selective[ ]sync[ ]conflict  # Dropbox, Nextcloud, Box, Google Drive
        | in[ ]konflikt[ ]stehende[ ]kopie | copie[ ]en[ ]conflit | copia[ ]en[ ]conflicto
        | 충돌(하는|된|한)?[ ]?(사본|복사본)
        | SFConflict  # Seafile
        | conflicted  # pCloud
      )[^()\[\]]*[)\]].*
    | .*_conflict-[0-9]{8}-[0-9]{6}(\..*)?  # ownCloud
    | .*_(Case)?Conflict(\([0-9]+\))?\.[^.]*  # Synology Drive
    | .*\.Conflict(\([0-9]+\))?(\.[^.]*)?  # Resilio
    """
)


def is_conflict_copy(name: bytes) -> bool:
    """Return whether a sync tool gave this name (without folders) to a second version of a file."""
    text = unicodedata.normalize("NFC", name.decode("utf-8", "backslashreplace"))
    return _NAMES.fullmatch(text) is not None
