import datetime as dt

import pytest

from worker import formatting


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.85, "850 ms"),
        (4.24, "4.2 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (7200, "2 h"),
        (7260, "2 h 1 min"),
        (2 * 86400 + 4 * 3600 + 59, "2 d 4 h"),
    ],
)
def test_a_duration_reads_in_its_two_greatest_units(seconds, text):
    assert formatting.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (512, "512 B"),
        (3_400, "3.4 kB"),
        (999_960, "1.0 MB"),
        (123_456_789, "123 MB"),
        (4.5e9, "4.5 GB"),
        (2e12, "2.0 TB"),
    ],
)
def test_a_size_reads_in_decimal_units(count, text):
    assert formatting.size(count) == text


def test_pixels_read_in_millions():
    assert formatting.megapixels(262_144) == "0.3 MP"
    assert formatting.megapixels(1_240_000_000) == "1,240 MP"


def test_counts_agree_with_their_noun():
    assert formatting.count(1, "job") == "1 job"
    assert formatting.count(0, "job") == "0 jobs"
    assert formatting.count(1200, "more", "more") == "1,200 more"


def test_a_moment_reads_in_the_readers_zone():
    at = dt.datetime(2026, 11, 22, 12, 0, 5, tzinfo=dt.UTC)
    assert formatting.moment(at) == at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    assert formatting.moment(None) == ""
