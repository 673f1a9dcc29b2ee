"""Sidecars: their content, their validation, and how they are published."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from db.core.engine import Database
from db.errors import BrokenSidecar
from restoration import OutputUnavailable
from worker.outbox.paths import work_draft
from worker.outbox.sidecars import (
    MAX_SIDECAR_BYTES,
    parse,
    publish_with_sidecar,
    read_sidecar_file,
    sidecar_path,
    sidecar_text,
    write_sidecar,
)

Made = Callable[..., tuple[int, Path]]


def test_it_says_in_words_that_the_colors_are_invented(made: Made) -> None:
    _, derivative = made("a.tif")
    told = json.loads(sidecar_path(derivative).read_text())
    assert "inferred by AI" in told["statement"]["en"]
    assert "no evidence" in told["statement"]["en"]
    assert "증거가 아닙니다" in told["statement"]["ko"]
    assert (told["schema"], told["version"]) == ("saek-sidecar", 1)


def test_it_tells_all_that_is_on_record(made: Made) -> None:
    job, derivative = made("마을/학교.tif")
    sidecar, _ = read_sidecar_file(sidecar_path(derivative))
    assert sidecar.job["id"] == job
    assert sidecar.sightings[0]["path"] == "마을/학교.tif".encode()
    assert sidecar.recipe["body"]["model"] == sidecar.model["name"] == sidecar.model["card"]["name"]
    assert sidecar.derivative["path"].endswith(b".tif")
    assert sidecar.events[-1]["type"] == "validation"
    assert sidecar_path(derivative).name == f"{derivative.name}.json"


def test_both_appear_or_neither(made: Made, database: Database, tmp_path: Path) -> None:
    job, _ = made("a.tif")
    final = tmp_path / "out" / "b.tif"
    (tmp_path / "out").mkdir()
    with work_draft(final, "job7", 1) as unfinished:
        unfinished.write_bytes(b"whole")
        with database.read() as s:
            publish_with_sidecar(s, job, unfinished, final)
    assert sorted(p.name for p in final.parent.iterdir()) == ["b.tif", "b.tif.json"]


def test_without_its_sidecar_a_derivative_is_not_published(
    made: Made, database: Database, tmp_path: Path
) -> None:
    job, _ = made("a.tif")
    final = tmp_path / "b.tif"
    sidecar_path(final).mkdir()
    with work_draft(final, "job7", 1) as unfinished:
        unfinished.write_bytes(b"whole")
        with database.read() as s, pytest.raises(OutputUnavailable):
            publish_with_sidecar(s, job, unfinished, final)
    assert [p.name for p in tmp_path.iterdir() if p.suffix in {".tif", ".json"}] == ["b.tif.json"]
    assert not list(tmp_path.glob(".saek*"))


def test_the_next_attempt_clears_a_killed_sidecar_draft(tmp_path: Path) -> None:
    (tmp_path / ".saek-job7-1.tif.json").touch()
    with work_draft(tmp_path / "a.tif", "job7", 2):
        pass
    assert list(tmp_path.iterdir()) == []


def changed(told: dict[str, Any], **changes: Any) -> bytes:
    told = {name: value for name, value in {**told, **changes}.items() if name != "digest"}
    body = {name: told[name] for name in told if name not in {"schema", "version"}}
    return sidecar_text({**body, "schema": told["schema"], "version": told["version"]})


@pytest.mark.parametrize("byte", [0, 40, 700, -40])
def test_a_flipped_bit_is_found(made: Made, byte: int) -> None:
    raw = bytearray(sidecar_path(made("a.tif")[1]).read_bytes())
    raw[byte] ^= 1
    with pytest.raises(BrokenSidecar):
        parse(bytes(raw))


def test_one_that_is_cut_off_is_found(made: Made) -> None:
    raw = sidecar_path(made("a.tif")[1]).read_bytes()
    for end in range(0, len(raw) - 1, 97):
        with pytest.raises(BrokenSidecar):
            parse(raw[:end])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": "another"}, "not a sidecar"),
        ({"version": 2}, "install a newer release"),
        ({"recipe": {"fingerprint": "0" * 64}}, "do not belong"),
        ({"recipe": {"body": {"model": "m"}}}, "recipe is invalid"),
        ({"scan": None}, "scan is missing"),
    ],
)
def test_one_that_was_forged_with_a_good_checksum_is_found(
    made: Made, changes: dict[str, Any], reason: str
) -> None:
    told = json.loads(sidecar_path(made("a.tif")[1]).read_bytes())
    for name, value in changes.items():
        told[name] = {**told[name], **value} if isinstance(value, dict) else value
    with pytest.raises(BrokenSidecar, match=reason):
        parse(changed(told))


@pytest.mark.parametrize("raw", [b"", b"{}", b"[" * 100_000, b'{"a": NaN}', b"\xff\xfe", b"null", b'"x"'])
def test_anything_else_is_no_sidecar(raw: bytes) -> None:
    with pytest.raises(BrokenSidecar):
        parse(raw)


def test_neither_a_link_nor_a_giant_is_read(made: Made, tmp_path: Path) -> None:
    good = sidecar_path(made("a.tif")[1])
    (tmp_path / "link.json").symlink_to(good)
    with (tmp_path / "giant.json").open("wb") as giant:
        giant.truncate(MAX_SIDECAR_BYTES + 1)
    for name in ("link.json", "giant.json", "missing.json"):
        with pytest.raises(BrokenSidecar):
            read_sidecar_file(tmp_path / name)


def test_one_that_is_there_is_replaced_whole(made: Made, database: Database) -> None:
    job, derivative = made("a.tif")
    sidecar_path(derivative).write_text("{")
    with database.read() as s:
        write_sidecar(s, job, derivative)
    read_sidecar_file(sidecar_path(derivative))
