"""Tables for a terminal."""

import pytest

from windmill.kernels.text.tables import render_table


def test_the_first_column_stands_left_and_the_others_right() -> None:
    rows = [["yolov8", 1234567, None], ["clip", 5, 0.25]]
    assert render_table(["service", "done", "p50 s"], rows) == (
        "service       done  p50 s\n"
        "yolov8   1,234,567      -\n"
        "clip             5  0.250\n"
    )  # fmt: skip


def test_a_table_without_rows_is_its_headings() -> None:
    assert render_table(["service", "done"], []) == "service  done\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0, "0"), (1000, "1,000"), (9.9994, "9.999"), (12.5, "12"), (12345.6, "12,346"), ("x y", "x y")],
)
def test_values_are_shown_as_people_read_them(value: object, shown: str) -> None:
    assert render_table(["h"], [[value]]).splitlines()[1] == shown
