"""Metrics of post-processing: what each stage did, and the backlog of stale marks in the database."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from windmill.core.setting_parts import DatabaseSettings
from windmill.core.stages import STAGES, Stage
from windmill.process.metric import Sample
from windmill.process.metrics import backlog_samples, stage_samples
from windmill.process.scraped_rows import ScrapedRows
from windmill.storage.queries import queries


class CountingStage(Protocol):
    """A stage with its counters."""

    stage: Stage
    counts: Counter[str]


def stages_samples(stages: Sequence[CountingStage]) -> list[Sample]:
    return [sample for one in stages for sample in stage_samples(one.stage, one.counts)]


def backlog_reader(settings: DatabaseSettings, *, clock: Callable[[], float] = time.monotonic) -> ScrapedRows:
    """The backlog of all stages."""
    return ScrapedRows(settings, queries()["list_backlog"], _samples_of, list(STAGES), clock=clock)


def _samples_of(row: Mapping[str, Any]) -> Iterable[Sample]:
    return backlog_samples(row["stage"], row["marks"], row["overdue_seconds"])
