"""The samples of several parts of one process as those of one: Prometheus takes each series once."""

from collections.abc import Iterable

from windmill.core.timings import Histogram
from windmill.process.metric import Metric, Sample


def merge_samples(samples: Iterable[Sample]) -> list[Sample]:
    """Each series once, in the order of their first samples."""
    merged: dict[tuple[Metric, tuple[str, ...]], Sample] = {}
    for sample in samples:
        series = (sample.metric, sample.labels)
        merged[series] = _both(merged[series], sample) if series in merged else sample
    return list(merged.values())


def _both(one: Sample, other: Sample) -> Sample:
    if isinstance(one.value, Histogram):
        assert isinstance(other.value, Histogram)
        return one._replace(value=one.value + other.value)
    assert not isinstance(other.value, Histogram)
    if one.metric.kind == "gauge" and one.metric.combine == "max":
        return one._replace(value=max(one.value, other.value))
    return one._replace(value=one.value + other.value)
