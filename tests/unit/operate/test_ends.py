"""When somebody looks again whether a run or a batch has ended."""

import pytest

from windmill.operate.ends import NextLooks, rest_before_next_look


@pytest.mark.parametrize(
    ("took", "age", "rest"),
    [
        (0.0, 0.0, 1.0),
        (0.02, 100.0, 1.0),
        (0.021, 0.0, 1.05),
        (2.0, 10.0, 100.0),
        (0.001, 86_400.0, 864.0),
    ],
    ids=["new", "just a second", "counting takes longer", "a long run", "one that never ends"],
)
def test_what_takes_long_to_count_or_goes_on_for_long_is_looked_at_seldom(took: float, age: float, rest: float) -> None:
    assert rest_before_next_look(took, age) == pytest.approx(rest)


def test_what_goes_on_rests_until_it_is_due_and_what_has_ended_is_forgotten() -> None:
    now = 1_000.0
    looks = NextLooks[int](lambda: now)
    looks.note(1, ended=False, took=0.0)
    looks.note(2, ended=False, took=0.1)
    assert looks.resting() == [1, 2]
    now += 1.0
    assert looks.resting() == [2]
    now += 299.0
    looks.note(1, ended=False, took=0.0)
    now += 2.9
    assert looks.resting() == [1], "it has gone on for 300 s, so it rests for three"
    looks.note(1, ended=True, took=0.0)
    assert looks.resting() == []
