import dataclasses
import datetime as dt
import json
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from hostile_names import NAMES, speaks
from hypothesis import given
from hypothesis import strategies as st

from db.vocabulary import Lane
from worker.console import as_sentence, jsonable, long_progress, out, print_problem, table, uri, write_json


@dataclasses.dataclass(frozen=True)
class _Place:
    root: str
    path: bytes
    later_root: str | None = None
    later_path: bytes | None = None


def test_facts_become_json():
    facts = {
        "at": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=9))),
        "for": dt.timedelta(minutes=1),
        "lane": Lane.BULK,
        "pair": (1, None),
        "name": b"\xc7",
        "flag": True,
    }
    assert jsonable(facts, {}) == {
        "at": "2026-01-01T18:04:05.000Z",
        "for": 60.0,
        "lane": "bulk",
        "pair": [1, None],
        "name": r"\xc7",
        "flag": True,
    }


def test_a_path_becomes_a_uri_under_the_folder_of_its_root():
    made = jsonable(_Place("inbox", b"a \xff.tif"), {"inbox": Path("/in")})
    assert made == {"root": "inbox", "uri": "file:///in/a%20%FF.tif", "later_root": None, "later_uri": None}
    json.dumps(made)


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_any_name_comes_through_a_uri_whole(name):
    assert unquote_to_bytes(uri({"inbox": Path("/in")}, "inbox", name)) == b"file:///in/" + name


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("it holds no bytes", "It holds no bytes."),
        ("Done!", "Done!"),
        ("/in/a.tif is missing", "/in/a.tif is missing."),
        ("saek.toml is no file", "saek.toml is no file."),
        ("", ""),
    ],
)
def test_a_reason_reads_as_a_sentence(text, read):
    assert as_sentence(text) == read


def test_a_problem_is_one_line_on_standard_error(capsys):
    print_problem("the disk is full " * 30, "free some space")
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert told.err.startswith("saek: The disk is full")


@pytest.mark.parametrize(
    ("seconds", "at_once", "lines"), [(0, False, ["1", "2"]), (60, False, []), (60, True, ["1"])]
)
def test_progress_is_written_as_lines_without_a_terminal(capsys, seconds, at_once, lines):
    with long_progress("begin", seconds, line_at_once=at_once) as show:
        for done in (1, 2):
            show("name", "stage", done, 2, str(done))
    written = capsys.readouterr()
    assert (written.err.split(), written.out) == (lines, "")


def test_names_that_look_like_markup_show_as_they_are(capsys):
    shown = table("file")
    shown.add_row("[bold]:smile: a.tif")
    out().print(shown)
    assert "[bold]:smile: a.tif" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_an_unescaped_name_does_not_reach_the_terminal(capsys, name):
    made = table("file")
    made.add_row(name)
    out().print(made)
    out().print(name)
    print_problem(f"{name} cannot be read")
    write_json({"file": name})
    told = capsys.readouterr()
    assert not speaks(told.out + told.err)
