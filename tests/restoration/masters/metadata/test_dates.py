"""Dates: expected values by the tables of EXIF 2.32, IPTC-IIM 4.2 and XMP part 1."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration.masters.metadata import dates


@pytest.mark.parametrize(
    ("exif", "xmp"),
    [
        ("1952:03:14 10:00:00", "1952-03-14T10:00:00"),
        ("1952:  :     :  :  ", "1952"),
        ("1952:03:     :  :  ", "1952-03"),
        ("1952:03:14   :  :  ", "1952-03-14"),
        ("1952:00:00 00:00:00", "1952"),
        ("1952:03:14", "1952-03-14"),
        ("1952", "1952"),
        ("1952-03-14T10:00:00", "1952-03-14T10:00:00"),
        ("1952:03:14 10:00:00+09:00", "1952-03-14T10:00:00+09:00"),
        ("1952:03:14 25:00:00", "1952-03-14"),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("2020:02:30 10:00:00", None),
        ("1952:13:01 00:00:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_exif_dates_are_converted_to_xmp(exif: str, xmp: str | None) -> None:
    assert dates.from_exif(exif) == xmp


def test_fraction_and_zone_of_exif_are_kept() -> None:
    assert dates.from_exif("1952:03:14 10:00:00", "25", "+09:00") == "1952-03-14T10:00:00.25+09:00"
    assert dates.from_exif("1952:03:14 10:00:00", "??", "Seoul") == "1952-03-14T10:00:00"


@pytest.mark.parametrize(
    ("date", "time", "xmp"),
    [
        ("19520314", "", "1952-03-14"),
        ("19520300", "", "1952-03"),
        ("19520000", "", "1952"),
        ("19520314", "100000+0900", "1952-03-14T10:00:00+09:00"),
        ("19520314", "990000+0900", "1952-03-14"),
        ("1952-03-14", "", "1952-03-14"),
        ("00000000", "", None),
        ("19521340", "", None),
    ],
)
def test_iptc_dates_are_converted_to_xmp(date: str, time: str, xmp: str | None) -> None:
    assert dates.from_iim(date, time) == xmp


@pytest.mark.parametrize(
    ("text", "xmp"),
    [
        ("1952-03-14T10:00", "1952-03-14T10:00"),
        ("1952-03-14T10:00:00.5Z", "1952-03-14T10:00:00.5Z"),
        ("1952-03", "1952-03"),
        ("1952:03:14 10:00:00", "1952-03-14T10:00:00"),
        ("1952-02-30", None),
        ("around 1952", None),
    ],
)
def test_dates_of_foreign_xmp_are_corrected(text: str, xmp: str | None) -> None:
    assert dates.as_xmp(text) == xmp


@pytest.mark.parametrize(
    ("xmp", "exif"),
    [
        ("1952", ("1952:  :     :  :  ", "", "")),
        ("1952-03-14T10:00", ("1952:03:14 10:00:00", "", "")),
        ("1952-03-14T10:00:00.25+09:00", ("1952:03:14 10:00:00", "25", "+09:00")),
        ("1952-03-14T10:00:00Z", ("1952:03:14 10:00:00", "", "+00:00")),
    ],
)
def test_xmp_dates_are_converted_to_exif(xmp: str, exif: tuple[str, str, str]) -> None:
    assert dates.to_exif(xmp) == exif


@given(st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(9999, 12, 31)))  # noqa: DTZ001
def test_every_date_survives_conversion_to_exif(moment: dt.datetime) -> None:
    moment = moment.replace(microsecond=0)
    found = dates.from_exif(moment.strftime("%Y:%m:%d %H:%M:%S"))
    assert found == moment.isoformat()


@given(st.text(max_size=30))
def test_any_text_is_a_date_or_none(text: str) -> None:
    for found in (dates.from_exif(text), dates.from_iim(text, text), dates.as_xmp(text)):
        assert found is None or dates.to_exif(found) is not None
