"""The names of all metrics, and their samples, read from counters that a process keeps anyway.

No library is needed here; windmill/process/prometheus_exposition.py renders samples for Prometheus.
"""

import platform
from collections.abc import Iterable, Iterator, Mapping

from windmill import VERSION
from windmill.calling.service_addresses import ServiceAddresses
from windmill.calling.service_state import ServiceState
from windmill.core.timings import CommitTimings, RecordedCommitTimings, RecordedJobTimings
from windmill.process.engine_metrics import ENGINE_METRICS
from windmill.process.gateway_metrics import GATEWAY_METRICS
from windmill.process.health import Health
from windmill.process.metric import BREAKER_NUMBERS, Metric, Sample
from windmill.process.step_metrics import STEP_METRICS

BUILD_INFO = Metric(
    "windmill_build_info",
    "gauge",
    "Always 1; the labels are version, Python and program",
    ("version", "python", "program"),
)
READY = Metric("windmill_ready", "gauge", "1 while this check of /readyz passes, else 0", ("check",))
RECONNECTS = Metric(
    "windmill_reconnects_total", "counter", "Times that the connection to this server was restored", ("server",)
)

JOBS = Metric(
    "windmill_jobs_total",
    "counter",
    "Outcomes of jobs; retries have the outcome retry_later",
    ("service", "outcome", "code"),
)
URGENT_JOBS = Metric(
    "windmill_urgent_jobs_total",
    "counter",
    "Outcomes of jobs from the urgent queue, which windmill_jobs_total includes",
    ("service",),
)
IN_PROGRESS = Metric("windmill_jobs_in_progress", "gauge", "Jobs delivered and not yet settled", ("service",), "sum")
CALLS = Metric(
    "windmill_calls_in_flight",
    "gauge",
    "Jobs or boxes that hold one of the service's call slots now",
    ("service",),
    "sum",
)
CONCURRENCY = Metric(
    "windmill_concurrency", "gauge", "Concurrent calls that this process allows itself", ("service",), "sum"
)
BREAKER = Metric("windmill_breaker_state", "gauge", "0 closed, 1 half-open, 2 open: the service is down", ("service",))
ADDRESSES_AWAY = Metric(
    "windmill_addresses_away", "gauge", "Addresses of a service with several that get no calls now", ("service",)
)
ADDRESS_CALLS = Metric(
    "windmill_address_calls_total", "counter", "Calls to each address of a service with several", ("service", "address")
)
SURPLUS = Metric(
    "windmill_surplus_connections_total",
    "counter",
    "Connections closed because the service sent more than one reply to a request",
    ("service",),
)
BLIND = Metric(
    "windmill_service_blind", "gauge", "1 while the service does not find what it found before", ("service",)
)
DEFECTS = Metric(
    "windmill_defects_total",
    "counter",
    "Bugs of Windmill itself; the log has the traceback of each kind",
    ("service",),
)
QUEUE_WAIT = Metric(
    "windmill_queue_wait_seconds", "histogram", "From submission to the start of the first attempt", ("service",)
)
IMAGE_READ = Metric("windmill_image_read_seconds", "histogram", "Reading an image for a call", ("service",))
SERVICE_CALL = Metric(
    "windmill_service_call_seconds", "histogram", "A call to the service, answered or failed", ("service",)
)
JOB = Metric("windmill_job_seconds", "histogram", "From submission until the result is committed", ("service",))
COMMIT = Metric("windmill_commit_seconds", "histogram", "Committing a batch of rows")
COMMIT_ROWS = Metric("windmill_commit_rows", "histogram", "Rows in a batch")
ROWS_NOT_KEPT = Metric(
    "windmill_rows_not_kept_total",
    "counter",
    "Rows not kept, as results had a success or a newer submission for the same job",
)

PUBLISHED_IMAGES = Metric("windmill_published_images_total", "counter", "Images that a producer submitted")
PUBLISHED_JOBS = Metric("windmill_published_jobs_total", "counter", "Jobs that a producer submitted", ("service",))

STALE_MARKS = Metric(
    "windmill_stale_marks", "gauge", "Open marks of a stage in the whole fleet, counted up to 100,000", ("stage",)
)
STALE_OVERDUE = Metric(
    "windmill_stale_overdue_seconds",
    "gauge",
    "Seconds since the oldest mark of a stage became due, in the whole fleet",
    ("stage",),
)
RECOMPUTES = Metric(
    "windmill_recomputes_total",
    "counter",
    "Images processed by a stage: outcome changed, unchanged (a no-op) or failed",
    ("stage", "outcome"),
)
BOX_CALLS = Metric("windmill_box_calls_total", "counter", "Boxes that a stage sent to services", ("stage",))

METRICS = (
    BUILD_INFO,
    READY,
    RECONNECTS,
    JOBS,
    URGENT_JOBS,
    IN_PROGRESS,
    CALLS,
    CONCURRENCY,
    BREAKER,
    ADDRESSES_AWAY,
    ADDRESS_CALLS,
    SURPLUS,
    BLIND,
    DEFECTS,
    QUEUE_WAIT,
    IMAGE_READ,
    SERVICE_CALL,
    JOB,
    COMMIT,
    COMMIT_ROWS,
    ROWS_NOT_KEPT,
    PUBLISHED_IMAGES,
    PUBLISHED_JOBS,
    STALE_MARKS,
    STALE_OVERDUE,
    RECOMPUTES,
    BOX_CALLS,
    *STEP_METRICS,
    *ENGINE_METRICS,
    *GATEWAY_METRICS,
)

_OUTCOMES = {
    "Stored": "stored",
    "RetryLater": "retry_later",
    "Failed": "failed",
    "Unavailable": "unavailable",
    "Unreadable": "unreadable",
}


def process_samples(program: str, health: Health) -> Iterator[Sample]:
    """The samples of every process: build info and readiness."""
    yield Sample(BUILD_INFO, (VERSION, platform.python_version(), program), 1)
    ready = health.ready()
    yield from (Sample(READY, (name,), 1) for name in ready.ok)
    yield from (Sample(READY, (name,), 0) for name in ready.failing)


def reconnect_samples(times: Mapping[str, int]) -> Iterator[Sample]:
    """How often each server was reached again after an outage."""
    return (Sample(RECONNECTS, (server,), count) for server, count in times.items())


def call_samples(state: ServiceState) -> Iterator[Sample]:
    """The samples of a process that calls a service, for jobs or for boxes."""
    service = (state.service.name,)
    yield Sample(CALLS, service, state.slots.taken)
    yield Sample(CONCURRENCY, service, state.slots.size)
    yield Sample(BREAKER, service, BREAKER_NUMBERS[state.breaker.state])
    yield Sample(BLIND, service, int(state.blind))
    yield Sample(DEFECTS, service, state.defects)
    if state.addresses:
        yield from _address_samples(state.service.name, state.addresses)


def _address_samples(service: str, addresses: ServiceAddresses) -> Iterator[Sample]:
    yield Sample(SURPLUS, (service,), addresses.surplus_connections)
    if addresses.several:
        yield Sample(ADDRESSES_AWAY, (service,), sum(one.is_open for one in addresses))
        yield from (Sample(ADDRESS_CALLS, (service, str(one.url)), one.calls) for one in addresses)


def service_samples(states: Iterable[ServiceState]) -> Iterator[Sample]:
    """The samples of a worker, for each of its services."""
    for state in states:
        service = (state.service.name,)
        yield from _job_samples(state)
        yield Sample(URGENT_JOBS, service, state.urgent_jobs)
        yield Sample(IN_PROGRESS, service, state.in_progress)
        yield from call_samples(state)
        if isinstance(steps := state.steps, RecordedJobTimings):
            yield Sample(QUEUE_WAIT, service, steps.waits)
            yield Sample(IMAGE_READ, service, steps.reads)
            yield Sample(SERVICE_CALL, service, steps.calls)
            yield Sample(JOB, service, steps.jobs)


def _job_samples(state: ServiceState) -> Iterator[Sample]:
    """`stored` is sampled from the start, as rate() needs a value before the first job."""
    name = state.service.name
    yield Sample(JOBS, (name, _OUTCOMES["Stored"], ""), state.counts["Stored"])
    for (outcome, code), count in sorted(state.codes.items()):
        yield Sample(JOBS, (name, _OUTCOMES[outcome], code), count)


def commit_samples(commits: CommitTimings, not_kept: int = 0) -> Iterator[Sample]:
    yield Sample(ROWS_NOT_KEPT, (), not_kept)
    if isinstance(commits, RecordedCommitTimings):
        yield Sample(COMMIT, (), commits.seconds)
        yield Sample(COMMIT_ROWS, (), commits.rows)


def publishing_samples(images: int, jobs_by_service: Mapping[str, int]) -> Iterator[Sample]:
    yield Sample(PUBLISHED_IMAGES, (), images)
    yield from (Sample(PUBLISHED_JOBS, (service,), jobs) for service, jobs in sorted(jobs_by_service.items()))


def stage_samples(stage: str, counts: Mapping[str, int]) -> Iterator[Sample]:
    """The samples of a stage, from the counters of its runner."""
    looked_at, changed = counts.get("looked_at", 0), counts.get("changed", 0)
    yield Sample(RECOMPUTES, (stage, "changed"), changed)
    yield Sample(RECOMPUTES, (stage, "unchanged"), looked_at - changed)
    yield Sample(RECOMPUTES, (stage, "failed"), counts.get("failed", 0))
    if "calls" in counts:
        yield Sample(BOX_CALLS, (stage,), counts["calls"])


def backlog_samples(stage: str, marks: int, overdue_seconds: float | None) -> Iterator[Sample]:
    yield Sample(STALE_MARKS, (stage,), marks)
    yield Sample(STALE_OVERDUE, (stage,), overdue_seconds or 0.0)
