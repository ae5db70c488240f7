"""What the page of workers shows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from gateway.pages.badges import Badge, badge
from windmill.operate.status.condition import worker_state
from windmill.operate.status.figures import Worker


@dataclass(frozen=True)
class WorkersView:
    by_host: Sequence[tuple[str, Sequence[Worker]]]
    processes: int
    lost: int

    @property
    def hosts(self) -> int:
        return len(self.by_host)


def workers_view(workers: Sequence[Worker]) -> WorkersView:
    ordered = sorted(workers, key=lambda one: (one.host, one.worker_id, one.service))
    lost = {one.process for one in workers if one.lost} - {one.process for one in workers if not one.lost}
    by_host = [(host, list(own)) for host, own in groupby(ordered, key=lambda one: one.host)]
    return WorkersView(by_host, len({one.process for one in workers}), len(lost))


def worker_badge(one: Worker) -> Badge:
    """One whose breaker is open waits for its service."""
    state = worker_state(one)
    return badge(state, "waits for service" if state == "paused" else "")
