"""Rows of the tables of jobs as values."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import orjson

from windmill.core.jsonb import parse_object

Document = Mapping[str, Any]
"""A JSON object."""


class TaskKey(NamedTuple):
    """A task: one shard of one step of one job."""

    job_id: int
    position: int
    shard: int


@dataclass(frozen=True)
class JobRow:
    """A row of `jobs`."""

    job_id: int
    public_id: uuid.UUID
    kind: str
    inputs: Document
    parameters: Document
    status: str
    ends_as: str | None
    priority: int
    principal: str
    attempt: int
    progress: float
    error_code: str | None
    message: str | None
    warnings: tuple[str, ...]
    deadline: datetime | None
    failure_budget: int
    paused_by: str | None
    pause_reason: str | None
    paused_until: datetime | None
    preset: str | None
    preset_version: int | None
    last_event: int


@dataclass(frozen=True)
class StepRow:
    """A row of `steps`."""

    position: int
    step: str
    version: int
    streams: bool
    parameters: Document
    status: str
    skip_reason: str | None
    planned: int
    plan_cursor: int | None
    settled: int
    failed: int
    weight: float
    cost: float
    waited: float
    ran: float
    reused: int = 0
    running: float = 0.0
    """What its tasks that run or wait had done when it was read, as a number of shards."""

    @property
    def name(self) -> str:
        """What the job calls it: several of its steps may run the same code."""
        return str(self.parameters.get("name") or self.step)


@dataclass(frozen=True)
class SeenJob:
    """A job and its steps as they were while its row had this version. Whatever changes of a job that has one open task
    changes its row, so who finds this version under the lock on the row need not read them anew."""

    job: JobRow
    steps: tuple[StepRow, ...]
    version: int


@dataclass(frozen=True)
class ClaimedTask:
    """A task that this process has leased, with what its step needs to run it."""

    job_id: int
    position: int
    shard: int
    step: str
    step_version: int
    attempt: int
    tries: int
    lost: int
    input: Document
    lease: uuid.UUID
    public_id: uuid.UUID
    kind: str
    inputs: Document
    parameters: Document
    principal: str
    step_parameters: Document
    output: Document = field(default_factory=dict)
    """What was kept when the task was suspended."""
    waited: float = 0.0
    """Seconds in the queue before this claim."""
    seen: SeenJob | None = None
    """Its job as it was when it was claimed, if that was read."""

    @property
    def key(self) -> TaskKey:
        return TaskKey(self.job_id, self.position, self.shard)


@dataclass(frozen=True)
class LeasedTask:
    """A running task while its row is locked; its claim has run for `ran` seconds."""

    job_id: int
    position: int
    shard: int
    step: str
    step_version: int
    attempt: int
    tries: int
    lost: int
    alone: bool
    output: Document
    waited: float
    ran: float

    @property
    def key(self) -> TaskKey:
        return TaskKey(self.job_id, self.position, self.shard)


@dataclass(frozen=True)
class EndedTask:
    """What becomes of a task whose claim ends. If it is queued again or waits, `delay` is for how long at most; `held`
    if its job is paused. `tries`, `lost` and `ran` are added; without `progress` that stays as it is."""

    position: int
    shard: int
    status: str
    output: Document
    error_code: str | None
    message: str | None
    delay: float
    held: bool
    tries: int
    lost: int
    ran: float
    progress: float | None


@dataclass(frozen=True)
class NewTask:
    """A task that is planned. With a `lease` it is claimed at once, if its turn has come. Tag and place count from
    where the job's principal stands in the queue."""

    position: int
    shard: int
    step: str
    version: int
    tag: float
    place: float
    input: Document
    lease: uuid.UUID | None


class OpenTasks(NamedTuple):
    """Which kinds of open tasks a job has."""

    running: bool
    queued: bool
    waiting: bool


@dataclass(frozen=True)
class FairQueue:
    """The queue of a step: its virtual time, and the last tag of a principal among its open tasks there."""

    virtual_time: float
    last_tag: float | None


@dataclass(frozen=True)
class JobEventRow:
    """An event to be added to a job's log."""

    kind: str
    position: int | None
    shard: int | None
    level: str
    data: Document


@dataclass(frozen=True)
class StoredArtifact:
    """A file that a task has made, whose bytes are whole in the store under `key`."""

    name: str
    media_type: str
    size: int
    sha256: str
    key: str


@dataclass(frozen=True)
class GivenConsent:
    """What somebody has confirmed: the sentence, why it was asked for, who, and when: now if it is None."""

    text: str
    reason: str
    given_by: str
    given_at: datetime | None = None


R = TypeVar("R", JobRow, StepRow, LeasedTask)
_DOCUMENTS = frozenset({"inputs", "parameters", "input", "output", "step_parameters"})


def changed(row: R, changes: Mapping[str, Any]) -> R:
    """The row with other values in these columns: `dataclasses.replace` at half its price, for rows of many columns."""
    return type(row)(**{**vars(row), **changes})


def read_row(kind: type[R], record: Any, prefix: str = "") -> R:  # noqa: ANN401 - the driver's record
    """The value of a record that has at least its columns, whose names may begin with a prefix."""
    return kind(**_values(_NAMES[kind], record, prefix))


def _values(names: Iterable[str], record: Any, prefix: str) -> dict[str, Any]:  # noqa: ANN401 - the driver's record
    found = {name: record[prefix + name] for name in names}
    for name in found.keys() & _DOCUMENTS:
        found[name] = parse_object(found[name])
    if "warnings" in found:
        found["warnings"] = tuple(orjson.loads(found["warnings"]))
    return found


_NAMES = {kind: tuple(one.name for one in fields(kind)) for kind in (JobRow, StepRow, LeasedTask)}


def read_claimed_task(record: Any) -> ClaimedTask:  # noqa: ANN401 - the driver's record
    """A claimed task out of a record with the columns of its job and, beginning with task_, its own."""
    job = read_row(JobRow, record)
    if record["begun"] is not None:
        job = replace(job, status="running", last_event=record["begun"])
    seen = None
    if record["steps"] is not None and record["version"] is not None:
        seen = SeenJob(job, tuple(read_step_rows(record["steps"])), record["version"])
    return claimed_task(job, seen=seen, **_values(_CLAIMED, record, "task_"))


_CLAIMED = ("position", "shard", "step", "step_version", "attempt", "tries", "lost", "input", "output", "lease",
            "step_parameters", "waited")  # fmt: skip


def claimed_task(job: JobRow, **own: Any) -> ClaimedTask:  # noqa: ANN401 - columns of any type
    """A claimed task of a job, with what is known of the task itself."""
    return ClaimedTask(
        job_id=job.job_id,
        public_id=job.public_id,
        kind=job.kind,
        inputs=job.inputs,
        parameters=job.parameters,
        principal=job.principal,
        **own,
    )


def read_step_rows(document: str | None) -> list[StepRow]:
    """The steps of a job out of the array that PostgreSQL has made of them."""
    return [StepRow(**{name: one[name] for name in _NAMES[StepRow]}) for one in orjson.loads(document or "[]")]
