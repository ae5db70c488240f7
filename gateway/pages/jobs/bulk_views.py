"""What is shown of actions on many jobs. Pure."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.pages.badges import Badge, badge
from gateway.pages.jobs.listing import JobFilters
from windmill.operate.bulk.asking import BulkAction
from windmill.operate.bulk.wanted import UNDOABLE, BulkFilter, BulkRequest, BulkVerb

NAMES: dict[str, str] = {
    "cancel": "Cancel",
    "pause": "Pause",
    "resume": "Resume",
    "retry": "Retry",
    "delete": "Delete",
    "priority": "Change the priority of",
}
_MEANS: dict[str, str] = {
    "cancel": "What waits is cancelled at once, what runs is stopped within seconds. It can be undone for an hour where"
    " nothing ran yet.",
    "pause": "Nothing more of them starts until they are resumed. What runs goes on.",
    "resume": "They go on where they were.",
    "retry": "What has succeeded is kept, the rest runs again.",
    "delete": "Their rows and the files that no other job has are gone for good.",
}


@dataclass(frozen=True)
class BulkAsked:
    """An action, and on which jobs: those in `ids`, or all that match."""

    verb: BulkVerb
    ids: Sequence[uuid.UUID] | None
    status: str = ""
    preset: str = ""
    code: str = ""

    @property
    def filters(self) -> JobFilters:
        return JobFilters(self.status, self.preset, self.code)

    @property
    def request(self) -> BulkRequest:
        filters = self.filters
        chosen = BulkFilter(
            statuses=filters.statuses,
            presets=(filters.preset,) if filters.preset else None,
            error_codes=(filters.code,) if filters.code else None,
        )
        return BulkRequest(self.verb, BulkFilter() if self.ids is not None else chosen)


@dataclass(frozen=True)
class BulkPreviewView:
    """The question."""

    asked: BulkAsked
    matched: int
    back: str

    @property
    def verb(self) -> str:
        return NAMES[self.asked.verb]

    @property
    def title(self) -> str:
        return f"{self.verb} {self.matched:,} {'job' if self.matched == 1 else 'jobs'}"

    @property
    def means(self) -> str:
        return _MEANS.get(self.asked.verb, "")

    @property
    def chosen(self) -> str:
        """Which jobs these are."""
        return "those that you ticked" if self.asked.ids is not None else f"all {self.asked.filters.words}"


@dataclass(frozen=True)
class BulkView:
    """How far an action is."""

    bulk: BulkAction
    state: Badge
    told: tuple[tuple[str, str, str], ...]
    may_undo: bool

    @property
    def title(self) -> str:
        number = self.bulk.matched
        return f"{NAMES[self.bulk.verb]} {number:,} {'job' if number == 1 else 'jobs'}"


def bulk_view(bulk: BulkAction, hide: Callable[[str], Any]) -> BulkView:
    states = {"running": "running", "done": "done", "undoing": "running", "undone": "cancelled"}
    return BulkView(
        bulk=bulk,
        state=badge(states.get(bulk.status, "idle"), bulk.status),
        told=tuple((str(one.job), one.error_code, str(hide(one.message))) for one in bulk.told),
        may_undo=bulk.status == "done" and bulk.verb in UNDOABLE and bulk.undo_until is not None,
    )
