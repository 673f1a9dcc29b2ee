"""A short form of the hostile corpus; the long one has 3,000 files (`make chaos`)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HOSTILE = Path(__file__).with_name("hostile.py")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_hostile_file_ends_done_or_with_a_reason(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    command = [sys.executable, str(HOSTILE), "--files", "300", "--json", str(told)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
    result = json.loads(told.read_text())
    assert result["wrong"] == []
    assert result["ends"]["done"] > 10
    assert result["ends"]["truncated-image"] > 100
