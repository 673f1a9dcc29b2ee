"""The command `jq` for machines without it: the engine out of a wheel, with the options that pages use."""

import shutil
import sys
from pathlib import Path

_SCRIPT = """#!{python}
import sys
import jq

checks, words = sys.argv[1:2] == ["-e"], sys.argv[1:]
(program,) = words[1:] if checks else words
found = jq.compile(program).input_text(sys.stdin.read())
for text in found.text().splitlines():
    print(text)
last = found.all()[-1:]
sys.exit(4 if not last else last[0] in (None, False) if checks else 0)
"""


def folder_of_jq(place: Path) -> Path:
    """Return a folder that holds a `jq`: that of the machine, or one that is made in `place`."""
    if own := shutil.which("jq"):
        return Path(own).parent
    return made_in(place)


def made_in(place: Path) -> Path:
    """Write the command into `place`, which is returned."""
    command = place / "jq"
    command.write_text(_SCRIPT.format(python=sys.executable))
    command.chmod(0o755)
    return place
