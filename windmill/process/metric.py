"""What a metric and a sample of it are."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from windmill.core.timings import Histogram

MetricKind = Literal["counter", "gauge", "histogram"]
Combine = Literal["sum", "max"]


@dataclass(frozen=True)
class Metric:
    """A metric: name, kind, help text and labels."""

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    combine: Combine = "max"
    """How a gauge that several parts of one process report becomes one number. Counters and histograms are added."""


class Sample(NamedTuple):
    """One number, or a histogram; `labels` are the label values in the order of the metric's labels."""

    metric: Metric
    labels: tuple[str, ...]
    value: float | Histogram
