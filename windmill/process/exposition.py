"""Samples as Prometheus reads them. Only imported where metrics are wanted: the library needs memory."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from windmill.core.measures import Histogram
from windmill.process.metrics import METRICS, Metric, Sample

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_PROCESS = ProcessCollector(registry=None)


def page(samples: Iterable[Sample]) -> bytes:
    """The text of all samples, and of what the library tells of the process."""
    return generate_latest(_Collected(list(samples)))


class _Collected(Collector):
    def __init__(self, samples: list[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            ours = [sample for sample in self._samples if sample.metric is metric]
            if ours:
                yield _family(metric, ours)
        yield from _PROCESS.collect()


def _family(metric: Metric, samples: Iterable[Sample]) -> Family:
    if metric.kind == "histogram":
        return _histograms(metric, samples)
    made = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = made(metric.name, metric.help, labels=metric.labels)
    for _, labels, value in samples:
        assert not isinstance(value, Histogram)
        family.add_metric(labels, value)
    return family


def _histograms(metric: Metric, samples: Iterable[Sample]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for _, labels, value in samples:
        assert isinstance(value, Histogram)
        bounds = [*(str(bound) for bound in value.bounds), "+Inf"]
        family.add_metric(labels, list(zip(bounds, accumulate(value.counts), strict=True)), value.total)
    return family
