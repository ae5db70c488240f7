"""Histograms of how long the steps of jobs and commits take. Recording is cheap enough for every job; without metrics
the base classes do nothing. windmill/process/metrics.py exports them.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime

STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# Jobs may wait in a queue for minutes or days.
WAIT_SECONDS = (
    0.1,
    0.5,
    1.0,
    5.0,
    15.0,
    60.0,
    300.0,
    900.0,
    3_600.0,
    14_400.0,
    43_200.0,
    86_400.0,
    259_200.0,
    604_800.0,
)
ROWS = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 1_000.0)


class Histogram:
    """Counts of values up to each bound; `counts` has one more entry, for values above all bounds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def note(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def __add__(self, other: "Histogram") -> "Histogram":
        """Of the values of both, which have the same bounds."""
        both = Histogram(self.bounds)
        both.counts = [own + its for own, its in zip(self.counts, other.counts, strict=True)]
        both.total = self.total + other.total
        return both


class JobTimings:
    """The timings of the jobs of one service; this one discards them."""

    def waited(self, submitted_at: datetime, now: datetime) -> None:
        """A job was started for the first time."""

    def read(self, seconds: float) -> None:
        """Its image was read."""

    def called(self, seconds: float) -> None:
        """The service answered or failed."""

    def ended(self, submitted_at: datetime) -> None:
        """Its row is committed and it is acknowledged."""


class RecordedJobTimings(JobTimings):
    """Records the timings in histograms."""

    def __init__(self) -> None:
        self.waits, self.jobs = Histogram(WAIT_SECONDS), Histogram(WAIT_SECONDS)
        self.reads, self.calls = Histogram(STEP_SECONDS), Histogram(STEP_SECONDS)

    def waited(self, submitted_at: datetime, now: datetime) -> None:
        # The producer's clock may be ahead of ours.
        self.waits.note(max(0.0, (now - submitted_at).total_seconds()))

    def read(self, seconds: float) -> None:
        self.reads.note(seconds)

    def called(self, seconds: float) -> None:
        self.calls.note(seconds)

    def ended(self, submitted_at: datetime) -> None:
        self.jobs.note(max(0.0, (datetime.now(UTC) - submitted_at).total_seconds()))


class CommitTimings:
    """The timings of commits; this one discards them."""

    def done(self, rows: int, seconds: float) -> None:
        """One transaction with `rows` rows was committed."""


class RecordedCommitTimings(CommitTimings):
    """Records the timings in histograms."""

    def __init__(self) -> None:
        self.rows, self.seconds = Histogram(ROWS), Histogram(STEP_SECONDS)

    def done(self, rows: int, seconds: float) -> None:
        self.rows.note(rows)
        self.seconds.note(seconds)
