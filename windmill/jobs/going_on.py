"""Going on: the transaction that ends a task also claims the next one of the same job, for the process that ended it.
That saves a commit, and a message to another process."""

import uuid
from collections.abc import Iterator
from typing import Protocol

from windmill.jobs.job_book import JobBook, PlannedTasks
from windmill.storage.jobs.rows import ClaimedTask, NewTask, claimed_task


class GoingOn(Protocol):
    """A process that ends a task."""

    @property
    def worker(self) -> str:
        """Its name."""
        ...

    def keep_slot(self, step: str, version: int) -> bool:
        """Keep a slot for a task of this step; whether the process serves the step and has one free."""
        ...


def choose_next(book: JobBook, going_on: GoingOn) -> ClaimedTask | None:
    """The first of the new tasks that the process can start now. Whether others come before it in its queue is seen
    when it is written."""
    for planned in book.planned:
        step = planned.step
        if not book.held and going_on.keep_slot(step.step, step.version):
            return _claimed(book, planned)
    return None


def new_tasks(planned: PlannedTasks, wanted: ClaimedTask | None) -> Iterator[NewTask]:
    """The rows to be written; `wanted` has the lease of the one to be claimed."""
    step, tags = planned.step, planned.tags
    for number, (shard, given) in enumerate(planned.shards.items()):
        is_wanted = wanted is not None and (wanted.position, wanted.shard) == (step.position, shard)
        lease = wanted.lease if wanted and is_wanted else None
        place = tags.tag(number), tags.place(number)
        yield NewTask(step.position, shard, step.step, step.version, *place, dict(given), lease)


def _claimed(book: JobBook, planned: PlannedTasks) -> ClaimedTask:
    """The first task as it is once it is claimed."""
    step = planned.step
    shard, given = next(iter(planned.shards.items()))
    return claimed_task(
        book.job,
        position=step.position,
        shard=shard,
        step=step.step,
        step_version=step.version,
        attempt=1,
        tries=0,
        lost=0,
        input=given,
        lease=uuid.uuid4(),
        step_parameters=step.parameters,
    )
