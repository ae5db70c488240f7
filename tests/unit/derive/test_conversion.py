"""How fast derived rows of an older form are converted, and what is told of it."""

import pytest

from windmill.derive.conversion import MOST_PAGES, ProgressMeter, next_pages, rest_seconds
from windmill.storage.conversion import ConversionState


@pytest.mark.parametrize(
    ("pages", "seconds", "then"),
    [
        (100, 0.2, 100),
        (100, 0.1, 200),
        (100, 0.001, 200),
        (100, 0.4, 50),
        (100, 60.0, 25),
        (1, 60.0, 1),
        (1, 0.0, 2),
        (MOST_PAGES, 0.01, MOST_PAGES),
    ],
)
def test_the_next_batch_is_as_large_as_takes_a_fifth_of_a_second(pages: int, seconds: float, then: int) -> None:
    assert next_pages(pages, seconds) == then


@pytest.mark.parametrize(
    ("share", "most_per_second", "rest"),
    [
        (1.0, None, 0.0),
        (0.5, None, 0.2),
        (0.25, None, 0.6),
        (1.0, 100.0, 0.8),
        (0.5, 10_000.0, 0.2),
        (1.0, 1_000.0, 0.0),
    ],
)
def test_after_a_batch_it_rests_for_its_share_of_the_time_and_the_images_a_second(
    share: float, most_per_second: float | None, rest: float
) -> None:
    assert rest_seconds(0.2, 100, share=share, most_per_second=most_per_second) == pytest.approx(rest)


def test_a_rate_is_that_of_the_last_minute_and_tells_when_the_rest_is_done() -> None:
    now = [0.0]
    meter = ProgressMeter(clock=lambda: now[0])
    first = meter.measure(ConversionState(pages=1_000, pages_left=1_000, images=0))
    assert (first.images_per_second, first.seconds_left) == (None, None)
    now[0] = 10.0
    second = meter.measure(ConversionState(pages=1_000, pages_left=900, images=50))
    assert second.share_done == pytest.approx(0.1)
    assert (second.images_per_second, second.seconds_left) == (5.0, 90.0)
    now[0] = 100.0
    third = meter.measure(ConversionState(pages=1_000, pages_left=450, images=275))
    assert (third.images_per_second, third.seconds_left) == (2.5, 90.0)


def test_an_empty_table_is_converted() -> None:
    assert ConversionState(pages=0, pages_left=0, images=0).share_done == 1.0
