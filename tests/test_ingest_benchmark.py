"""The benchmark of ingest runs, in a small form, and finds what it must."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.postgres
def test_the_ingest_benchmark_runs_in_a_small_form(tmp_path: Path) -> None:
    words = ["--burst", "30", "--known", "1200", "--folder", str(tmp_path), "--json"]
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "ingest.py", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=250,
    )
    told = json.loads(done.stdout)
    assert [row["on"] for row in told["burst"]] == [row["on"] for row in told["known"]]
    for row in told["burst"]:
        assert (row["registered"], row["overflow"]) == (30, True)
    for row in told["known"]:
        assert (row["files"], row["unlike"]) == (1200, 0)
        assert row["read"] in {0, None}  # None where the file system keeps no access times
