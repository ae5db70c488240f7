"""Planning a step: its tasks are written in pieces, each in its own transaction, so that a planner that was killed is
taken over where it was."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from windmill.core.errors import WindmillError, unexpected
from windmill.core.jsonb import parse_object
from windmill.jobs.access import JobAccess
from windmill.jobs.advancing import advance, give_up
from windmill.jobs.job_book import JobBook, PlannedTasks
from windmill.jobs.step import JobView, ShardInput, Step, StepInputs
from windmill.kernels.flow.fair_queueing import FairTags, fair_tags
from windmill.storage.database import Connection
from windmill.storage.jobs.rows import Document, FairQueue, StepRow
from windmill.storage.queries import queries

PIECE = 1_000
"""Tasks that are planned in one transaction."""


async def plan_started_steps(connection: Connection, access: JobAccess, book: JobBook) -> None:
    """Plan the first piece of each step that has started. A step whose code this process does not have is left to one
    that has it."""
    while book.to_plan:
        await plan_piece(connection, access, book, book.to_plan.pop(0))


async def plan_piece(connection: Connection, access: JobAccess, book: JobBook, position: int) -> None:
    """Plan the next piece of a step; all that is left of one that streams."""
    row = book.step(position)
    step = access.catalog.find(row.step, row.version)
    if step is None or row.plan_cursor is None:
        return
    upstream = book.upstream(position)
    if row.streams and upstream:
        outputs = await _read_unplanned(connection, book, row, upstream)
        shards, cursor = _plan_streamed(book, step, row, outputs), None
    else:
        outputs = await _read_outputs(connection, book, upstream)
        shards, cursor = _plan_next(book, step, row, row.plan_cursor, outputs)
    if shards is not None:
        _plan_tasks(access, book, row, shards)
        book.change_step(position, plan_cursor=cursor)
        advance(book)


def plan_streamed_shard(access: JobAccess, book: JobBook, position: int, shard: int) -> None:
    """A shard has succeeded: plan the task of the step that streams from it."""
    row = book.streaming_downstream(position)
    step = row and access.catalog.find(row.step, row.version)
    if not row or not step or row.plan_cursor is None:
        return
    shards = _plan_streamed(book, step, row, {shard: book.outputs[position, shard]})
    if shards is not None:
        _plan_tasks(access, book, row, shards)
        book.change_step(row.position, plan_cursor=row.plan_cursor + 1)


def _plan_next(
    book: JobBook, step: Step, row: StepRow, first: int, outputs: Mapping[int, Document]
) -> tuple[dict[int, ShardInput] | None, int | None]:
    """The next piece, and where the one after it begins, if there may be one."""
    found = _plan(book, step, StepInputs(row.parameters, outputs), first, PIECE)
    if found is None:
        return None, None
    return dict(enumerate(found, first)), first + PIECE if len(found) == PIECE else None


def _plan_streamed(
    book: JobBook, step: Step, row: StepRow, outputs: Mapping[int, Document]
) -> dict[int, ShardInput] | None:
    """The tasks that follow from these shards of the step before, under the same numbers."""
    planned: dict[int, ShardInput] = {}
    for shard, output in outputs.items():
        found = _plan(book, step, StepInputs(row.parameters, {shard: output}), 0, 1)
        if found is None:
            return None
        if found:
            planned[shard] = found[0]
    return planned


def _plan(book: JobBook, step: Step, inputs: StepInputs, first: int, most: int) -> list[ShardInput] | None:
    """The next shards; None if the step cannot be planned, which fails the job."""
    job = book.job
    view = JobView(job.public_id, job.kind, job.inputs, job.parameters, job.principal)
    try:
        return list(islice(step.plan(view, inputs), first, first + most))
    except WindmillError as error:
        give_up(book, error.code, error.message)
    except Exception as error:  # noqa: BLE001 - whatever a step raises ends its job, not the process
        give_up(book, "DEFECT", unexpected(error).message)
    return None


def _plan_tasks(access: JobAccess, book: JobBook, row: StepRow, shards: Mapping[int, ShardInput]) -> None:
    """Behind those of the same principal that are planned already."""
    if shards:
        before = max((one.last_tag for one in book.planned if one.step.step == row.step), default=0.0)
        book.plan(PlannedTasks(row, shards, _tags(access, book, row, FairQueue(0.0, before))))


async def read_tags(connection: Connection, access: JobAccess, book: JobBook, row: StepRow) -> FairTags:
    """New tags for the tasks of this step, whose old ones do not count."""
    found = await connection.fetchrow(queries()["read_fair_queue"], row.step, book.job.principal, book.job.job_id)
    assert found
    return _tags(access, book, row, FairQueue(**found))


def _tags(access: JobAccess, book: JobBook, row: StepRow, queue: FairQueue) -> FairTags:
    return fair_tags(
        queue.virtual_time,
        queue.last_tag,
        cost=row.cost,
        weight=1.0,
        priority=book.job.priority,
        head_start=access.settings.priority_head_start_seconds,
    )


async def _read_outputs(connection: Connection, book: JobBook, upstream: StepRow | None) -> dict[int, Document]:
    """What the step before has made, by shard. If its only task has just ended, that is known."""
    if upstream is None:
        return {}
    own = {shard: output for (position, shard), output in book.outputs.items() if position == upstream.position}
    if own and upstream.planned == 1:
        return own
    rows = await connection.fetch(queries()["read_step_outputs"], book.job.job_id, upstream.position)
    return _by_shard(rows, own)


async def _read_unplanned(
    connection: Connection, book: JobBook, row: StepRow, upstream: StepRow
) -> dict[int, Document]:
    """The same of those shards that have no task yet in the step `row`, which streams."""
    job_id, positions = book.job.job_id, (upstream.position, row.position)
    rows = await connection.fetch(queries()["read_unplanned_outputs"], job_id, *positions)
    own = {shard: output for (position, shard), output in book.outputs.items() if position == upstream.position}
    planned = book.planned_shards(row.position)
    return {shard: output for shard, output in _by_shard(rows, own).items() if shard not in planned}


def _by_shard(rows: Iterable[Any], own: Mapping[int, Document]) -> dict[int, Document]:
    """In the order of the shards."""
    found = {row["shard"]: parse_object(row["output"]) for row in rows}
    return dict(sorted({**found, **own}.items()))


def is_unplanned(book: JobBook, row: StepRow) -> bool:
    """Whether a further piece of the step is to be planned now."""
    if row.status != "running" or row.plan_cursor is None:
        return False
    upstream = book.upstream(row.position)
    return not row.streams or (upstream is not None and upstream.status == "succeeded")
