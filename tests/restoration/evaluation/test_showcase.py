from pathlib import Path

import numpy as np
from PIL import Image

from restoration import default_model, load_model
from restoration.evaluation.showcase import PHOTOGRAPHS, showcase
from restoration.recipe import Preset


def test_gray_colored_and_true_stand_one_above_the_other(tmp_path: Path) -> None:
    out = tmp_path / "sheet.jpg"
    out.write_text("what was there before")

    showcase(load_model(default_model(), "cpu", 1), out, Preset.FAST)

    with Image.open(out) as sheet:
        rows = np.split(np.asarray(sheet, dtype=float)[6:-6][: 3 * 246 - 6], [243, 489])
        assert sheet.width > len(PHOTOGRAPHS) * 200
    gray, colored, true = (row[..., 0] - row[..., 2] for row in rows)
    assert np.abs(gray).mean() < 2 < np.abs(colored).mean() < np.abs(true).mean()
    assert list(tmp_path.iterdir()) == [out]
