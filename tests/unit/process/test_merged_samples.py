"""Samples of several parts of one process, as those of one."""

from windmill.core.timings import Histogram
from windmill.process.merged_samples import merge_samples
from windmill.process.metric import Sample
from windmill.process.metrics import BREAKER, CALLS, COMMIT, RECONNECTS
from windmill.process.step_metrics import STEP_WORK


def histogram(*values: float) -> Histogram:
    made = Histogram((1.0, 2.0))
    for value in values:
        made.note(value)
    return made


def test_each_series_is_told_once_and_others_stay_as_they_are() -> None:
    samples = [Sample(CALLS, ("face",), 1), Sample(CALLS, ("pose",), 4), Sample(CALLS, ("face",), 2)]
    assert merge_samples(samples) == [Sample(CALLS, ("face",), 3), Sample(CALLS, ("pose",), 4)]


def test_counters_are_added() -> None:
    samples = [Sample(RECONNECTS, ("broker",), 1), Sample(RECONNECTS, ("broker",), 2)]
    assert merge_samples(samples) == [Sample(RECONNECTS, ("broker",), 3)]


def test_a_service_is_down_for_the_process_if_it_is_for_a_part() -> None:
    samples = [Sample(BREAKER, ("face",), 0), Sample(BREAKER, ("face",), 2), Sample(BREAKER, ("face",), 1)]
    assert merge_samples(samples) == [Sample(BREAKER, ("face",), 2)]


def test_what_each_part_tells_of_the_whole_fleet_is_not_added() -> None:
    samples = [Sample(STEP_WORK, ("upscale", "claimable"), 7)] * 3
    assert merge_samples(samples) == samples[:1]


def test_histograms_are_added_bucket_by_bucket_and_the_parts_keep_theirs() -> None:
    first = histogram(0.5, 5.0)
    (merged,) = merge_samples([Sample(COMMIT, (), first), Sample(COMMIT, (), histogram(0.5, 1.5))])
    assert isinstance(merged.value, Histogram)
    assert (merged.value.counts, merged.value.total) == ([2, 1, 1], 7.5)
    assert first.counts == [1, 0, 1]
