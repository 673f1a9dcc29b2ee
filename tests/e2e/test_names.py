"""A station whose files have names that control terminals: no part, and no command, lets them through."""

import numpy as np
import tifffile
from hostile_names import NAMES, speaks
from skimage import data

CAPTION = "부산 국제시장 전경"


def test_hostile_names_go_through_a_station_and_reach_no_screen(station):
    folder = station.inbox / "fold\x1b[31mer"
    folder.mkdir()
    for seed, name in enumerate(NAMES):
        picture = np.ascontiguousarray(np.roll(data.camera(), seed, axis=0)[:80, :96])
        caption = [(270, 2, 0, CAPTION.encode("cp949") + b"\0", True)]
        tifffile.imwrite(folder / name, picture, metadata=None, software=False, extratags=caption)
        (station.inbox / name).touch()
    station.start("--until-idle")
    assert station.wait(280) == 0, station.tail()
    assert not speaks(station.log.read_text())
    rows = station.rows()
    assert len(rows) == 2 * len(NAMES)
    assert {row.state for path, row in rows.items() if "/" in path} == {"done"}
    for words in (
        ["status"],
        ["status", "--state", "quarantined"],
        ["status", "--collection", folder.name],
        ["status", f"{folder.name}/{NAMES[0]}"],
        ["status", "--json"],
        ["doctor"],
        ["verify"],
    ):
        shown = station.saek(*words)
        assert not speaks(shown.stdout + shown.stderr), words
    told = station.saek("status", f"{folder.name}/{NAMES[0]}").stdout
    assert "dc:description: decoded as CP949, a guess" in " ".join(told.split())
