"""Rendering samples in Prometheus' text format. Imported only if METRICS_PORT is set, as the library needs memory."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from windmill.core.timings import Histogram
from windmill.process.metric import Metric, Sample
from windmill.process.metrics import METRICS

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_PROCESS_COLLECTOR = ProcessCollector(registry=None)


def render_metrics(samples: Iterable[Sample]) -> bytes:
    """The text of all samples, and of the process metrics of the library."""
    return generate_latest(_SampleCollector(list(samples)))


class _SampleCollector(Collector):
    def __init__(self, samples: list[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            of_metric = [sample for sample in self._samples if sample.metric is metric]
            if of_metric:
                yield _family(metric, of_metric)
        yield from _PROCESS_COLLECTOR.collect()


def _family(metric: Metric, samples: Iterable[Sample]) -> Family:
    if metric.kind == "histogram":
        return _histogram_family(metric, samples)
    family_type = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = family_type(metric.name, metric.help, labels=metric.labels)
    for _, labels, value in samples:
        assert not isinstance(value, Histogram)
        family.add_metric(labels, value)
    return family


def _histogram_family(metric: Metric, samples: Iterable[Sample]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for _, labels, value in samples:
        assert isinstance(value, Histogram)
        bounds = [*(str(bound) for bound in value.bounds), "+Inf"]
        family.add_metric(labels, list(zip(bounds, accumulate(value.counts), strict=True)), value.total)
    return family
