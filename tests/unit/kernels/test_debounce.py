"""When an image that has changed is looked at."""

import pytest

from windmill.kernels.flow.debounce import debounce_seconds, patience_seconds


@pytest.mark.parametrize(
    ("more_to_come", "looked_at_before", "age", "seconds"),
    [
        (False, False, 5.0, 0.0),
        (False, True, 5.0, 0.0),
        (True, False, 0.0, 0.2),
        (True, False, 900.0, 0.2),
        (True, True, 0.05, 0.2),
        (True, True, 1.5, 3.0),
        (True, True, 900.0, 10.0),
    ],
)
def test_an_image_waits_only_while_more_is_expected_and_longer_the_longer_it_takes(
    more_to_come: bool, looked_at_before: bool, age: float, seconds: float
) -> None:
    waits = debounce_seconds(
        more_to_come=more_to_come, looked_at_before=looked_at_before, age=age, minimum=0.2, maximum=10.0
    )
    assert waits == seconds


def test_an_image_whose_answers_come_one_by_one_is_looked_at_a_few_times() -> None:
    """13 answers evenly spread over any time: the looks grow with its logarithm."""
    for span in (1.0, 10.0, 100.0):
        looks, next_look, known = 0, float("inf"), False
        for number in range(13):
            now = span * number / 12
            if now >= next_look:
                looks, next_look, known = looks + 1, float("inf"), True
            if next_look == float("inf"):
                more = number < 12
                next_look = now + debounce_seconds(
                    more_to_come=more, looked_at_before=known, age=now, minimum=0.2, maximum=1e9
                )
        looks += next_look < float("inf")
        assert looks <= 5, span


def test_the_longest_wait_bounds_the_first_look_too() -> None:
    assert debounce_seconds(more_to_come=True, looked_at_before=False, age=0, minimum=5.0, maximum=1.0) == 1.0


@pytest.mark.parametrize(
    ("quiet", "seconds"), [(0.0, 0.05), (0.04, 0.05), (0.4, 0.4), (6.0, 4.0), (10.0, 0.0), (900.0, 0.0)]
)
def test_an_image_waits_for_other_stages_as_long_again_as_it_has_waited(quiet: float, seconds: float) -> None:
    assert patience_seconds(quiet=quiet, minimum=0.05, maximum=10.0) == seconds


def test_a_stage_that_never_ends_is_waited_for_a_few_times_and_no_longer_than_the_longest_wait() -> None:
    quiet, looks = 0.0, 0
    while wait := patience_seconds(quiet=quiet, minimum=0.05, maximum=10.0):
        quiet, looks = quiet + wait, looks + 1
    assert quiet == 10.0
    assert looks < 12
