"""Jobs as text for a terminal."""

from collections.abc import Mapping, Sequence

from windmill.kernels.text.tables import render_table
from windmill.operate.jobs.many_jobs import ManyJobs
from windmill.operate.jobs.shown import Shown
from windmill.operate.render import render_span


def render_jobs(jobs: Sequence[Shown]) -> str:
    """A line for each job."""
    if not jobs:
        return "no jobs\n"
    headings = ("job", "kind", "status", "done", "priority", "created", "error")
    return render_table(headings, [_job_row(job) for job in jobs])


def render_job(job: Shown) -> str:
    """Everything about one job that is not empty, and a line for each step."""
    told = "".join(
        f"{name}: {_told(name, value)}\n"
        for name, value in job.items()
        if name != "steps" and value not in (None, [], "")
    )
    headings = ("step", "runs", "status", "shards", "settled", "failed", "waited s", "ran s")
    return told + "\n" + render_table(headings, [_step_row(step) for step in job["steps"]])


def render_many(report: ManyJobs, more: Mapping[str, int]) -> str:
    """What became of many jobs."""
    if report.preview:
        return f"would {report.action} {report.matched:,} jobs; add --yes to do it\n"
    lines = [f"{report.action}: {report.done:,} of {report.matched:,} jobs"]
    lines += [f"{name}: {number:,}" for name, number in more.items()]
    lines += [f"{one.job}: {one.error_code}: {one.message}" for one in report.told]
    untold = report.refused - len(report.told)
    lines += [f"and {untold:,} more were refused"] if untold else []
    lines += ["interrupted; the same command goes on with those that are left"] if report.interrupted else []
    return "".join(f"{line}\n" for line in lines)


def _told(name: str, value: object) -> object:
    return render_span(value) if name.endswith("_seconds") and isinstance(value, int | float) else value


def render_events(events: Sequence[Shown]) -> str:
    """A line for each event."""
    return "".join(_event_line(event) for event in events)


def _job_row(job: Shown) -> tuple[object, ...]:
    done = f"{job['progress']:.0%}"
    created = job["created_at"][:19]
    return (job["public_id"], job["kind"], job["status"], done, job["priority"], created, job["error_code"])


def _step_row(step: Shown) -> tuple[object, ...]:
    status = f"skipped: {step['skip_reason']}" if step["skip_reason"] else step["status"]
    names = ("planned", "settled", "failed", "waited", "ran")
    return (step["name"], step["step"], status, *(step[name] for name in names))


def _event_line(event: Shown) -> str:
    where = "".join(f" {name}={event[name]}" for name in ("position", "shard") if event[name] is not None)
    data = "".join(f" {name}={value}" for name, value in event["data"].items())
    return f"{event['seq']} {event['at'][:19]} {event['level']} {event['kind']}{where}{data}\n"
