"""Printable text: what is escaped, and that the meaning stays the same."""

import json
import os

import pytest
from hostile_names import NAMES, speaks
from hypothesis import given
from hypothesis import strategies as st

from restoration.errors import display_name
from worker.printable import printable, printable_json, printable_lines


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_shown_as_escapes(name: str) -> None:
    assert printable(name).isprintable()
    assert printable(name).encode().decode("unicode_escape") == name


@given(st.one_of(st.text(st.characters()), st.binary().map(os.fsdecode)))
def test_any_name_is_shown_in_printable_characters(name: str) -> None:
    assert printable(name).isprintable()
    assert display_name(name) == printable(name)
    assert not speaks(printable_lines(name).replace("\t", ""))


@given(st.recursive(st.text(st.characters()), lambda inner: st.dictionaries(st.text(), inner)))
def test_json_in_printable_characters_means_the_same(value: object) -> None:
    shown = printable_json(json.dumps(value, ensure_ascii=False, indent=2))
    assert not speaks(shown)
    assert json.loads(shown) == value


def test_hangul_is_shown_as_it_is() -> None:
    assert printable("한강 철교.tif") == "한강 철교.tif"
