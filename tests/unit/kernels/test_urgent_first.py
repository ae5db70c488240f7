"""Which job begins next: urgent ones first, and one ordinary job in ten nevertheless."""

import pytest

from windmill.kernels.flow.urgent_first import ORDINARY_SHARE, urgent_is_next


@pytest.mark.parametrize(
    ("urgent_waits", "ordinary_waits", "in_a_row", "urgent"),
    [
        (True, False, 0, True),
        (True, False, 1000, True),
        (False, True, 0, False),
        (True, True, 0, True),
        (True, True, ORDINARY_SHARE - 2, True),
        (True, True, ORDINARY_SHARE - 1, False),
        (True, True, 1000, False),
        (False, False, 0, False),
    ],
)
def test_urgent_jobs_go_first_until_the_turn_of_an_ordinary_one(
    urgent_waits: bool, ordinary_waits: bool, in_a_row: int, urgent: bool
) -> None:
    assert urgent_is_next(in_a_row, urgent_waits=urgent_waits, ordinary_waits=ordinary_waits) is urgent


def test_of_endless_work_of_both_kinds_exactly_one_job_in_ten_is_ordinary() -> None:
    in_a_row, begun = 0, list[bool]()
    for _ in range(1000):
        urgent = urgent_is_next(in_a_row, urgent_waits=True, ordinary_waits=True)
        in_a_row = in_a_row + 1 if urgent else 0
        begun.append(urgent)
    assert begun.count(False) == 100
    assert begun[:ORDINARY_SHARE] == [True] * (ORDINARY_SHARE - 1) + [False]
