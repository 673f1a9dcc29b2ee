"""Pages name the tests that show what they say; each is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("page", ["reliability", "security"])
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    words = re.findall(
        r"`((?:tests/)?[\w/]*test_\w+(?:\.py)?)`", (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    )
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }

    assert words
    for word in words:
        there = (ROOT / word).is_file() if word.endswith(".py") else word in defined
        assert there, f"{page}.md names {word}, which is not there"
