"""What the dashboard shows: titles, queries, and how to read them. deploy/grafana/dashboard.py makes JSON of it.

Queries are PromQL with three variables of the dashboard: $service (those chosen), $queue_prefix (QUEUE_PREFIX) and
Grafana's own $__rate_interval.
"""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["stat", "timeseries", "state-timeline", "table"]


@dataclass(frozen=True)
class Panel:
    """One picture; `queries` are PromQL by the name of their lines."""

    title: str
    queries: dict[str, str]
    unit: str = "short"
    kind: Kind = "timeseries"
    width: int = 8
    tells: str = ""
    stacked: bool = False
    # From which number on a stat is yellow and red.
    bad: tuple[float, float] | None = None
    mappings: dict[int, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


OURS = 'service=~"$service"'
RATE = "[$__rate_interval]"
WORK_QUEUES = 'queue=~"${queue_prefix}($service)(_urgent)?"'
FAILED_QUEUES = 'queue=~"${queue_prefix}($service)[.]failed"'
GIVEN_UP = 'outcome=~"failed|unreadable"'
NEEDS_PLUGIN = "Needs RabbitMQ's plugin rabbitmq_prometheus."


def jobs(outcome: str, by: str) -> str:
    """Jobs a second of which this became."""
    return f"sum by ({by}) (rate(windmill_jobs_total{{{outcome}, {OURS}}}{RATE}))"


def quantile(share: float, name: str, by: str = "service") -> str:
    """The time within which this share of the cases is done."""
    chosen, groups = (f"{{{OURS}}}", "le, service") if by else ("", "le")
    return f"histogram_quantile({share}, sum by ({groups}) (rate({name}_bucket{chosen}{RATE})))"


def latency(name: str) -> dict[str, str]:
    return {"{{service}} 50 %": quantile(0.5, name), "{{service}} 95 %": quantile(0.95, name)}


GLANCE = Section(
    "At a glance",
    (
        Panel(
            "Answers a second",
            {"": f'sum(rate(windmill_jobs_total{{outcome="stored", {OURS}}}{RATE}))'},
            kind="stat",
            width=3,
        ),
        Panel(
            "Given up, of all that ended",
            {
                "": f"sum(rate(windmill_jobs_total{{{GIVEN_UP}, {OURS}}}{RATE}) or vector(0))"
                f' / sum(rate(windmill_jobs_total{{outcome=~"stored|failed|unreadable", {OURS}}}{RATE}))'
            },
            unit="percentunit",
            kind="stat",
            width=3,
            bad=(0.01, 0.05),
        ),
        Panel(
            "Services away",
            {"": f"sum(max by (service) (windmill_breaker_state{{{OURS}}}) > bool 0)"},
            kind="stat",
            width=3,
            bad=(1, 2),
        ),
        Panel(
            "Jobs waiting",
            {"": f"sum(rabbitmq_detailed_queue_messages_ready{{{WORK_QUEUES}}})"},
            kind="stat",
            width=3,
            tells=NEEDS_PLUGIN,
        ),
        Panel(
            "Oldest stale work overdue",
            {"": "max(windmill_stale_overdue_seconds)"},
            unit="s",
            kind="stat",
            width=3,
            bad=(60, 600),
        ),
        Panel("Processes", {"": "count(windmill_build_info)"}, kind="stat", width=3),
        Panel(
            "Processes not ready",
            {"": "sum(min by (job, instance) (windmill_ready) < bool 1)"},
            kind="stat",
            width=3,
            bad=(1, 2),
        ),
        Panel(
            "Alerts",
            {"": 'count(ALERTS{alertstate="firing"}) or vector(0)'},
            kind="stat",
            width=3,
            tells="docs/runbook.md has a chapter for each.",
            bad=(1, 2),
        ),
    ),
)

JOBS = Section(
    "Jobs",
    (
        Panel("Answers by service", {"{{service}}": jobs('outcome="stored"', "service")}, unit="ops", stacked=True),
        Panel(
            "What became of jobs",
            {"{{outcome}}": jobs('outcome!=""', "outcome")},
            unit="ops",
            tells="unavailable: the service was away, so the job went back and no try was counted.",
        ),
        Panel("Given up, by code", {"{{service}} {{code}}": jobs(GIVEN_UP, "service, code")}, unit="ops", stacked=True),
        Panel(
            "Tried again, by code",
            {"{{service}} {{code}}": jobs('outcome="retry_later"', "service, code")},
            unit="ops",
            stacked=True,
        ),
        Panel("From submission to the first try", latency("windmill_queue_wait_seconds"), unit="s"),
        Panel("From submission to the commit", latency("windmill_job_seconds"), unit="s"),
    ),
)

SERVICES = Section(
    "Services",
    (
        Panel(
            "Breakers",
            {"{{service}}": f"max by (service) (windmill_breaker_state{{{OURS}}})"},
            kind="state-timeline",
            mappings={0: ("closed", "green"), 1: ("half-open", "yellow"), 2: ("open", "red")},
        ),
        Panel(
            "Blind services",
            {"{{service}}": f"max by (service) (windmill_service_blind{{{OURS}}})"},
            kind="state-timeline",
            mappings={0: ("sees", "green"), 1: ("blind", "red")},
        ),
        Panel("A call takes", latency("windmill_service_call_seconds"), unit="s"),
        Panel("Reading an image takes", latency("windmill_image_read_seconds"), unit="s"),
        Panel(
            "Calls in flight, and places for them",
            {
                "{{service}}": f"sum by (service) (windmill_calls_in_flight{{{OURS}}})",
                "{{service}} places": f"sum by (service) (windmill_concurrency{{{OURS}}})",
            },
        ),
        Panel(
            "Jobs in the hands of workers",
            {"{{service}}": f"sum by (service) (windmill_jobs_in_progress{{{OURS}}})"},
            stacked=True,
        ),
        Panel("Workers", {"{{service}}": f"count by (service) (windmill_concurrency{{{OURS}}})"}, stacked=True),
        Panel(
            "Calls to each address of a service",
            {"{{address}}": f"sum by (address) (rate(windmill_address_calls_total{{{OURS}}}{RATE}))"},
            unit="ops",
        ),
        Panel(
            "Addresses away, and connections with a reply too many",
            {
                "{{service}} away": f"max by (service) (windmill_addresses_away{{{OURS}}})",
                "{{service}} surplus": (
                    f"sum by (service) (increase(windmill_surplus_connections_total{{{OURS}}}{RATE}))"
                ),
            },
            tells="A service that sends a reply twice has to be mended: answers may be stored under other images.",
        ),
        Panel(
            "Faults of Windmill itself",
            {"{{service}}": f"sum by (service) (increase(windmill_defects_total{{{OURS}}}{RATE}))"},
            width=24,
            tells="Each is a bug: report the traceback that the log has of it.",
        ),
    ),
)

QUEUES = Section(
    "Queues and producers",
    (
        Panel(
            "Jobs waiting",
            {"{{queue}}": f"sum by (queue) (rabbitmq_detailed_queue_messages_ready{{{WORK_QUEUES}}})"},
            stacked=True,
            tells=NEEDS_PLUGIN,
        ),
        Panel(
            "Jobs parked, and waiting for their next try",
            {
                "{{queue}}": f"sum by (queue) (rabbitmq_detailed_queue_messages_ready{{{FAILED_QUEUES}}})",
                "next try": 'sum(rabbitmq_detailed_queue_messages_ready{queue=~"${queue_prefix}retry[.].+"})',
            },
            tells=NEEDS_PLUGIN,
        ),
        Panel(
            "Consumers",
            {"{{queue}}": f"sum by (queue) (rabbitmq_detailed_queue_consumers{{{WORK_QUEUES}}})"},
            tells=f"{NEEDS_PLUGIN} A worker whose breaker is open consumes nothing.",
        ),
        Panel(
            "Urgent jobs a second",
            {"{{service}}": f"sum by (service) (rate(windmill_urgent_jobs_total{{{OURS}}}{RATE}))"},
            unit="ops",
            tells="They overtake the others, of which one in ten jobs still is one.",
        ),
        Panel(
            "Submitted, while a producer runs",
            {
                "images": f"sum(rate(windmill_published_images_total{RATE}))",
                "{{service}}": f"sum by (service) (rate(windmill_published_jobs_total{{{OURS}}}{RATE}))",
            },
            unit="ops",
        ),
        Panel(
            "RabbitMQ: free disk, and where it stops publishers",
            {
                "free": "min(rabbitmq_disk_space_available_bytes)",
                "limit": "max(rabbitmq_disk_space_available_limit_bytes)",
            },
            unit="bytes",
            tells=NEEDS_PLUGIN,
        ),
        Panel(
            "Reached again after being away",
            {"{{server}}": f"sum by (server) (increase(windmill_reconnects_total{RATE}))"},
        ),
    ),
)

COMMITS = Section(
    "Commits",
    (
        Panel(
            "A commit takes",
            {
                "50 %": quantile(0.5, "windmill_commit_seconds", by=""),
                "95 %": quantile(0.95, "windmill_commit_seconds", by=""),
            },
            unit="s",
        ),
        Panel(
            "Rows in a commit",
            {"rows": f"sum(rate(windmill_commit_rows_sum{RATE})) / sum(rate(windmill_commit_rows_count{RATE}))"},
        ),
        Panel(
            "Rows a second",
            {
                "written": f"sum(rate(windmill_commit_rows_sum{RATE}))",
                "not kept": f"sum(rate(windmill_rows_not_kept_total{RATE}))",
            },
            unit="wps",
            tells="Not kept: there was a success or a newer submission already.",
        ),
    ),
)

STAGES = Section(
    "Post-processors",
    (
        Panel(
            "Open work",
            {"{{stage}}": "max by (stage) (windmill_stale_marks)"},
            tells="Counted up to 100,000. All post-processors tell the same, so this is the maximum.",
        ),
        Panel("Overdue by", {"{{stage}}": "max by (stage) (windmill_stale_overdue_seconds)"}, unit="s"),
        Panel(
            "Images computed anew",
            {"{{stage}} {{outcome}}": f"sum by (stage, outcome) (rate(windmill_recomputes_total{RATE}))"},
            unit="ops",
        ),
        Panel(
            "Of these, in vain",
            {
                "{{stage}}": f'sum by (stage) (rate(windmill_recomputes_total{{outcome="unchanged"}}{RATE}))'
                f' / sum by (stage) (rate(windmill_recomputes_total{{outcome=~"changed|unchanged"}}{RATE}))'
            },
            unit="percentunit",
            tells="The answer was the one that was there, so nothing was written.",
        ),
        Panel(
            "Boxes shown to services",
            {"{{stage}}": f"sum by (stage) (rate(windmill_box_calls_total{RATE}))"},
            unit="ops",
        ),
    ),
)

PROCESSES = Section(
    "Processes",
    (
        Panel("Not ready", {"{{check}}": "sum by (check) (windmill_ready < bool 1)"}),
        Panel(
            "Memory",
            {
                "{{program}} {{instance}}": "process_resident_memory_bytes * on (job, instance) group_left (program)"
                " windmill_build_info"
            },
            unit="bytes",
        ),
        Panel(
            "CPU",
            {
                "{{program}} {{instance}}": f"rate(process_cpu_seconds_total{RATE}) * on (job, instance)"
                " group_left (program) windmill_build_info"
            },
            unit="percentunit",
        ),
        Panel(
            "What runs",
            {"": "count by (program, version, python) (windmill_build_info)"},
            kind="table",
            width=24,
        ),
    ),
)
