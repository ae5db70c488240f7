"""The status of the fleet as text and as JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from windmill.core.outages import IMAGES_AWAY
from windmill.core.wanted_states import EVERYTHING, WantedState
from windmill.kernels.text.printable import render_printable
from windmill.kernels.text.tables import render_table
from windmill.operate.render import render_conversion, render_eta, render_span
from windmill.operate.status.figures import (
    MOST_MARKS,
    MOST_TASKS,
    MOST_UNSUBMITTED,
    Backlog,
    FleetStatus,
    ServiceStatus,
    StepStatus,
    Worker,
)

FEW_WORKERS = 20
_COUNTED = ("done", "failed", "failures")


def render_status_text(status: FleetStatus, *, workers: bool = False) -> str:
    """The whole status. A long table of workers is left out unless `workers` asks for it."""
    parts = [render_status_table(status), _render_details(status), render_steps(status)]
    if workers or len(status.workers) <= FEW_WORKERS:
        parts += ["\n" + render_workers(status.workers)] if status.workers else []
    else:
        parts.append(f"{len(status.workers)} rows of workers: --workers shows them\n")
    return "".join(parts)


def render_status_table(status: FleetStatus) -> str:
    """A line for each service, and one for all."""
    headings = ["service", "done", "failed", "queued", "urgent", "in flight", "retrying", "parked", "rate/s", "eta"]
    headings += ["breaker", "workers", "p50 s", "failures"]
    rows = [_service_cells(one, seen=not status.database) for one in status.services]
    return render_table(headings, [*rows, _total_cells(status, rows)])


def _service_cells(one: ServiceStatus, *, seen: bool) -> list[object]:
    return [
        one.service,
        one.done if seen else None,
        one.failed if seen else None,
        one.queued,
        one.urgent,
        one.in_flight,
        one.retrying,
        one.parked,
        one.rate,
        render_eta(one.eta_seconds),
        _render_breaker(one),
        _render_worker_count(one.workers, one.lost),
        one.p50,
        " ".join(f"{code}:{count}" for code, count in one.failures.items()),
    ]


def _total_cells(status: FleetStatus, rows: Sequence[Sequence[object]]) -> list[object]:
    sums = [_total([row[column] for row in rows]) for column in range(1, 9)]
    sums[5] = status.retrying
    live = {worker.process for worker in status.workers if not worker.lost}
    lost = {worker.process for worker in status.workers if worker.lost} - live
    workers = None if status.database else _render_worker_count(len(live), len(lost))
    return ["all", *sums, render_eta(status.eta_seconds), None, workers, None, ""]


def _total(column: Sequence[object]) -> float | None:
    known = [value for value in column if isinstance(value, int | float)]
    return sum(known) if known else None


def _render_breaker(one: ServiceStatus) -> str | None:
    if one.breaker != "open":
        return one.breaker
    blind = (one.breaker_reason or "").startswith("SERVICE_BLIND")
    return f"{'BLIND' if blind else 'open'} {one.breaker_open}/{one.workers}"


def _render_worker_count(live: int | None, lost: int | None) -> str | None:
    if live is None:
        return None
    return f"{live}, {lost} lost" if lost else str(live)


def _render_details(status: FleetStatus) -> str:
    retrying = f", {status.retrying:,} jobs wait to be tried again" if status.retrying is not None else ""
    copies = f" ({status.copies:,} of them copies, which share an answer)" if status.copies else ""
    lines = [] if status.database else [f"{status.images:,} images registered{copies}{retrying}"]
    if status.unsubmitted:
        more = "+" if status.unsubmitted >= MOST_UNSUBMITTED else ""
        lines.append(f"{status.unsubmitted:,}{more} images were never submitted: python -m producers.generic")
    if status.uncalibrated and any(one.done for one in status.services):
        lines.append(
            "boxes and votes are uncalibrated: nothing was fitted on this fleet; see windmill learn and calibrate"
        )
    if status.backlog:
        lines.append(f"to post-process: {', '.join(map(_render_backlog, status.backlog))}")
    if status.converted is not None:
        lines.append(render_conversion(status.converted))
    for one in status.services:
        if one.breaker_reason:
            lines.append(f"{one.service} {_render_standstill(one)}: {one.breaker_reason}")
    return "".join(f"{line}\n" for line in [*lines, *map(_render_wanted, status.wanted)])


def _render_wanted(one: WantedState) -> str:
    name = "everything" if one.name == EVERYTHING else one.name
    parts = [f"is paused{_render_until(one)}"] if one.paused else []
    parts += [f"makes {one.concurrency} calls at once in each process"] if one.concurrency else []
    reason = f": {one.reason}" if one.reason else ""
    return render_printable(f"{name} {' and '.join(parts)}, as {one.owner or 'somebody here'} wants{reason}")


def _render_until(one: WantedState) -> str:
    return f" until {one.paused_until.isoformat(timespec='minutes')}" if one.paused_until else ""


def _render_standstill(one: ServiceStatus) -> str:
    away = (one.breaker_reason or "").startswith("IMAGE_NOT_FOUND:")
    return IMAGES_AWAY if away else f"is {one.breaker}"


def _render_backlog(one: Backlog) -> str:
    more = "+" if one.marks >= MOST_MARKS else ""
    since = f" (due for {render_span(one.overdue_seconds)})" if one.overdue_seconds is not None else ""
    return f"{one.stage} {one.marks:,}{more}{since}"


def render_steps(status: FleetStatus) -> str:
    """The jobs that have not ended, and a line for each step that has work or workers."""
    steps = [one for one in status.steps if _has_work(one) or one.workers]
    jobs = ", ".join(f"{count:,} {name}" for name, count in status.jobs.items())
    if not steps and not jobs:
        return ""
    headings = ["step", "claimable", "running", "lost", "put off", "waiting", "to plan", "workers"]
    table = render_table(headings, [_step_cells(one) for one in steps]) if steps else ""
    paused = "".join(f"{one.step} waits: {one.paused}\n" for one in steps if one.paused)
    return f"\n{table}{paused}jobs: {jobs or 'none is open'}\n"


def _has_work(one: StepStatus) -> bool:
    return any((one.claimable, one.running, one.put_off, one.waiting, one.unplanned))


def _step_cells(one: StepStatus) -> list[object]:
    counts = (one.claimable, one.running, one.expired, one.put_off, one.waiting, one.unplanned)
    workers = "NONE" if one.claimable + one.unplanned and not one.workers else str(one.workers)
    return [one.step, *(f"{count:,}+" if count >= MOST_TASKS else count for count in counts), workers]


def render_unavailable(status: FleetStatus) -> list[str]:
    """One line for each server that did not answer."""
    lines = [f"the results cannot be seen: {status.database}"] if status.database else []
    return lines + ([f"the queues cannot be seen: {status.broker}"] if status.broker else [])


def render_workers(workers: Iterable[Worker]) -> str:
    """A line for each process and service."""
    headings = ["worker", "host", "pid", "service", "state", "up", "heartbeat", "last job", "done", "failed"]
    headings += ["retried", "rate/s", "in flight", "calls", "breaker"]
    return render_table(headings, [_worker_cells(worker) for worker in workers])


def _worker_cells(worker: Worker) -> list[object]:
    calls = f"auto {worker.concurrency}" if worker.concurrency_auto else str(worker.concurrency)
    return [
        worker.worker_id,
        worker.host,
        str(worker.pid),
        worker.service,
        "lost" if worker.lost else "live",
        render_span(worker.up_seconds),
        f"{render_span(worker.silent_seconds)} ago",
        None if worker.job_seconds is None else f"{render_span(worker.job_seconds)} ago",
        worker.done,
        worker.failed,
        worker.retried,
        worker.rate,
        worker.in_progress,
        calls,
        worker.breaker,
    ]


def render_status_json(status: FleetStatus) -> dict[str, object]:
    """Every number under its name, null if unknown."""
    document = asdict(status)
    if status.database:
        document["images"] = document["copies"] = None
        for one in document["services"]:
            one |= dict.fromkeys(_COUNTED)
    return document
