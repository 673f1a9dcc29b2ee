from hypothesis import given
from hypothesis import strategies as st

from worker.inbox.settle import FileStat, SettleTracker

A, B = FileStat(1, 1, 1), FileStat(2, 2, 1)


def test_a_file_is_whole_when_nothing_changed_for_the_set_time() -> None:
    tracker = SettleTracker(5)
    tracker.notice(b"f", 0)
    assert not tracker.is_settled(b"f", A, 0)
    assert not tracker.is_settled(b"f", A, 4.9)
    assert tracker.is_settled(b"f", A, 5)
    assert len(tracker) == 0


def test_growth_begins_the_waiting_anew() -> None:
    tracker = SettleTracker(5)
    tracker.notice(b"f", 0)
    tracker.is_settled(b"f", A, 0)
    assert not tracker.is_settled(b"f", B, 4)
    assert not tracker.is_settled(b"f", B, 8)
    assert tracker.is_settled(b"f", B, 9)


def test_an_event_begins_the_waiting_anew() -> None:
    tracker = SettleTracker(5)
    tracker.notice(b"f", 0)
    tracker.is_settled(b"f", A, 0)
    tracker.notice(b"f", 4)
    assert not tracker.is_settled(b"f", A, 6)
    assert not tracker.is_settled(b"f", A, 10)
    assert tracker.is_settled(b"f", A, 11)


def test_a_file_that_goes_is_not_waited_for() -> None:
    tracker = SettleTracker(5)
    tracker.notice(b"f", 0)
    assert not tracker.is_settled(b"f", None, 1)
    assert tracker.waiting() == []


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.floats(0.1, 3)), min_size=1, max_size=30))
def test_no_file_settles_before_it_was_unchanged_long_enough(
    steps: list[tuple[FileStat, float]],
) -> None:
    tracker, now, last_change, last = SettleTracker(5), 0.0, 0.0, None
    tracker.notice(b"f", 0)
    for seen, pause in steps:
        now += pause
        if seen != last:
            last, last_change = seen, now
        if tracker.is_settled(b"f", seen, now):
            assert now - last_change >= 5
            return
