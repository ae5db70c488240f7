"""What the page of failures shows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.pages.code_words import code_words
from windmill.operate.dead_letters.dead_letter import DeadLetter
from windmill.operate.dead_letters.listing import DeadLetterListing
from windmill.operate.dead_letters.muting import MutedFailure, ResolvedFailures
from windmill.operate.images.failed_answers import FailedAnswer


@dataclass(frozen=True)
class FailureGroup:
    """Parked jobs of one service that failed for one reason; the remedy is that of the code, word for word."""

    service: str
    code: str | None
    jobs: int
    first: datetime | None
    last: datetime | None
    example: DeadLetter | None
    culprit: str
    remedy: str

    @property
    def key(self) -> str:
        return f"{self.service}-{self.code or 'none'}"

    @property
    def refers_to_message(self) -> bool:
        """Whether nobody understands the remedy without the message of a job."""
        return "message" in self.remedy


@dataclass(frozen=True)
class MutedGroup:
    """Failures that are muted, and how many of them are parked among those that were read."""

    muted: MutedFailure
    jobs: int


@dataclass(frozen=True)
class FailuresView:
    """`parked` is what the queues hold, of which the first `looked_at` were read. `muted` are groups that somebody
    knows of, also those of which nothing is parked just now."""

    groups: Sequence[FailureGroup]
    muted: Sequence[MutedGroup]
    resolved: Sequence[ResolvedFailures]
    parked: int
    looked_at: int
    services: Sequence[str]
    service: str
    code: str


@dataclass(frozen=True)
class ParkedView:
    """The jobs of one group."""

    service: str
    code: str
    jobs: Sequence[DeadLetter]
    count: int
    remedy: str


@dataclass(frozen=True)
class AnswersView:
    """The images behind a count of failed answers, at most `most` of them."""

    service: str
    code: str
    answers: Sequence[FailedAnswer]
    remedy: str
    most: int


@dataclass(frozen=True)
class SweepView:
    """What an action would do."""

    action: str
    service: str
    code: str
    jobs: int
    breaker: str | None


def failures_view(
    found: DeadLetterListing,
    services: Sequence[str],
    service: str,
    code: str,
    muted: Sequence[MutedFailure] = (),
    resolved: Sequence[ResolvedFailures] = (),
) -> FailuresView:
    quiet = {(one.service, one.code) for one in muted}
    groups = [_group(key, count, found.jobs) for key, count in found.counts.items()]
    shown = sorted(groups, key=lambda one: (-(one.last.timestamp() if one.last else 0), -one.jobs, one.key))
    return FailuresView(
        groups=[one for one in shown if (one.service, one.code or "") not in quiet],
        muted=[MutedGroup(one, found.counts[one.service, one.code or None]) for one in muted],
        resolved=resolved,
        parked=sum(found.held.values()),
        looked_at=sum(found.looked_at.values()),
        services=services,
        service=service,
        code=code,
    )


def _group(key: tuple[str, str | None], count: int, jobs: Sequence[DeadLetter]) -> FailureGroup:
    service, code = key
    own = [one for one in jobs if (one.service, one.code) == key]
    times = sorted(one.failed_at for one in own if one.failed_at)
    newest = max(own, key=lambda one: one.failed_at.timestamp() if one.failed_at else 0, default=None)
    culprit, remedy = code_words(code)
    return FailureGroup(
        service, code, count, times[0] if times else None, times[-1] if times else None, newest, culprit, remedy
    )
