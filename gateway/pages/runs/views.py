"""What the pages of runs show. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.pages.badges import Badge, badge
from windmill.operate.runs.outlook import RunAnswers, RunOutlook, RunRow


@dataclass(frozen=True)
class RunLine:
    """A run in the list, which counts no answers."""

    run: RunRow
    state: Badge


@dataclass(frozen=True)
class RunsView:
    runs: Sequence[RunLine]
    older: str
    first: str


@dataclass(frozen=True)
class RunView:
    run: RunRow
    outlook: RunOutlook
    state: Badge
    by_service: Mapping[str, RunAnswers]

    @property
    def goes_on(self) -> bool:
        """Whether it can be cancelled."""
        return self.run.finished_at is None and self.run.cancelled_at is None


def run_line(run: RunRow) -> RunLine:
    return RunLine(run, badge(_state(run)))


def _state(run: RunRow) -> str:
    """What the row itself tells."""
    if run.cancelled_at:
        return "cancelled"
    if run.finished_at is None:
        return "publishing" if run.last_image_id > run.first_image_id else "queued"
    return "published"


def run_view(run: RunRow, outlook: RunOutlook, counted: Mapping[str, RunAnswers] | None) -> RunView:
    return RunView(run, outlook, badge(outlook.status), counted or {})
