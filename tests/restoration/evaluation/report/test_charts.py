"""Positions of points, marks and lines in charts."""

import pytest

from restoration.evaluation.report.charts import HEIGHT, WIDTH, Axis, Line, chart, even_axis


def test_an_axis_goes_over_all_values_in_even_steps() -> None:
    axis = even_axis("x", [0.62, 0.98], 0.1)

    assert (axis.low, axis.high) == (pytest.approx(0.6), pytest.approx(1.0))
    assert axis.marks == pytest.approx((0.6, 0.7, 0.8, 0.9, 1.0))


def test_a_single_value_has_room_too() -> None:
    axis = even_axis("x", [0.5], 0.5)

    assert axis.low < axis.high
    assert axis.part(0.5) == 0


def test_each_decade_of_a_logarithmic_axis_is_as_long() -> None:
    axis = Axis("share", 1e-4, 1.0, (1e-4, 1.0), logarithmic=True, percent=True)

    assert [axis.part(value) for value in (0.0, 1e-4, 1e-3, 1e-2, 1.0)] == pytest.approx([0, 0, 0.25, 0.5, 1])
    assert axis.written(1e-3) == "0.1%"


def test_more_is_further_right_and_higher_up() -> None:
    axis = Axis("x", 0.0, 1.0, (0.0, 1.0))
    line = Line("one", "#000000", ((0.0, 0.0), (0.5, 0.25), (1.0, 1.0)), {1: "here"})

    drawing = chart("title", axis, axis, [line])

    (way,) = drawing.iter("polyline")
    places = [tuple(map(float, point.split(","))) for point in way.get("points").split()]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    assert {"here", "one", "title"} <= {element.text for element in drawing.iter() if element.text}
