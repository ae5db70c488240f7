"""What the page of a job shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.hiding import hide_paths_within
from gateway.pages.badges import Badge, badge
from gateway.pages.jobs.lanes import Chart, chart
from gateway.pages.jobs.listing import JobLine, job_line
from gateway.pages.request_examples import RequestExample, job_request
from gateway.pages.words import UNKNOWN
from windmill.jobs.states import JOB_MOVES
from windmill.operate.jobs.shown import Shown
from windmill.operate.jobs.whole_job import LogLine, RelatedJob, WholeJob

MOST_FILES = 60
LEVELS = ("debug", "info", "warning", "error")
_ACTIONS = {"cancel": "cancel", "pause": "pause", "resume": "resume", "rerun": "retry", "delete": "delete"}
_RELATIONS = {"fork": "fork", "source": "made a file that this was given", "user": "was given a file of this"}


@dataclass(frozen=True)
class JobFileLine:
    """A file of the job; `kind` is image, video, audio or other, by its media type."""

    step: str
    shard: int
    name: str
    media_type: str
    bytes: int
    sha256: str

    @property
    def kind(self) -> str:
        kind = self.media_type.partition("/")[0]
        return kind if kind in ("image", "video", "audio") else "other"

    @property
    def url(self) -> str:
        return f"/artifacts/{self.sha256}/content"


@dataclass(frozen=True)
class InputLine:
    """An input as it was frozen; `file` is what it names, where that is a file that is still known."""

    name: str
    value: str
    files: tuple[JobFileLine, ...] = ()


@dataclass(frozen=True)
class RelatedLine:
    """Another job, and what it has to do with this one."""

    job: RelatedJob
    state: Badge
    how: str


@dataclass(frozen=True)
class LogView:
    """The lines that the filters leave."""

    lines: tuple[LogLine, ...]
    level: str
    step: str
    older_url: str


@dataclass(frozen=True)
class JobView:
    """`told` is all that is known of it, without folders of the server."""

    line: JobLine
    told: Shown
    chart: Chart
    inputs: tuple[InputLine, ...]
    files: tuple[JobFileLine, ...]
    hidden_files: int
    related: tuple[RelatedLine, ...]
    log: LogView
    actions: frozenset[str]
    example: RequestExample | None
    watch_url: str

    @property
    def steps(self) -> list[str]:
        return [step["name"] for step in self.told["steps"]]

    @property
    def held_up(self) -> tuple[str, str]:
        """What an open job waits for, and what is to be done about it; both empty where it goes on by itself."""
        said = (self.told.get("waits_for") or "").partition(" Remedy: ")
        code, colon, words = said[0].partition(": ")
        return (words if colon and code.isupper() else said[0]).removesuffix("."), said[2]

    @property
    def failed_shards(self) -> int:
        return sum(int(step["failed"]) for step in self.told["steps"])

    @property
    def retry_step(self) -> str:
        """Where a retry begins by itself: at the step that failed."""
        return next((step["name"] for step in self.told["steps"] if step["status"] == "failed"), "")


def job_view(whole: WholeJob, log: LogView, base_url: str, *, with_key: bool) -> JobView:
    told: Shown = hide_paths_within(whole.told)
    files = [_file(one) for one in told["artifacts"]]
    made = [one for one in files if one.step]
    return JobView(
        line=job_line(told),
        told=told,
        chart=chart(whole.timeline),
        inputs=tuple(_inputs(told, files)),
        files=tuple(made[:MOST_FILES]),
        hidden_files=max(len(made) - MOST_FILES, 0),
        related=tuple(RelatedLine(one, badge(one.status), _how(one)) for one in whole.related),
        log=log,
        actions=frozenset(_ACTIONS[event] for event in JOB_MOVES[told["status"]] if event in _ACTIONS),
        example=_example(told, base_url, with_key=with_key),
        watch_url=f"/ui/jobs/{told['public_id']}/watch" if any(one.kind == "video" for one in files) else "",
    )


def _file(one: Mapping[str, Any]) -> JobFileLine:
    return JobFileLine(
        one["step"] or "", one["shard"], one["name"], one["media_type"], int(one["bytes"]), one["sha256"]
    )


def _how(one: RelatedJob) -> str:
    said = _RELATIONS[one.relation]
    return f"{said}: {one.file}" if one.file else said


def _inputs(told: Shown, files: Sequence[JobFileLine]) -> list[InputLine]:
    """Files are shown by what they are, and not by their digests."""
    given = {one.sha256: one for one in files if not one.step}
    lines = []
    for name, value in told["inputs"].items():
        named = value if isinstance(value, list) else [value]
        found = tuple(given[one] for one in named if isinstance(one, str) and one in given)
        lines.append(InputLine(name, "" if found else _said(value), found))
    quality = told["parameters"].get("quality")
    return [*lines, InputLine("quality", str(quality))] if quality else lines


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return UNKNOWN if value is None else str(value)


def _example(told: Shown, base_url: str, *, with_key: bool) -> RequestExample | None:
    """The request that makes the same job again; None for a job of no preset."""
    if not told["preset"]:
        return None
    body: dict[str, Any] = {"preset": told["preset"], "inputs": told["inputs"]}
    if quality := told["parameters"].get("quality"):
        body["quality"] = quality
    if told["priority"]:
        body["priority"] = told["priority"]
    if told["consents"]:
        body["consent_given"] = True
    return job_request(base_url, body, with_key=with_key)
