"""A new job from a finished part of another: the steps before one are copied, and the rest runs with other inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

from windmill.core.errors import WindmillError
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.job_book import JobBook
from windmill.jobs.locked_job import locked_book, open_book
from windmill.jobs.submitting import NewJob, NewStep, insert_job, start_job
from windmill.storage.jobs.rows import Document, GivenConsent, StepRow, StoredArtifact
from windmill.storage.queries import queries


@dataclass(frozen=True)
class Changes:
    """What is different in the fork; None is as in the original."""

    inputs: Document | None = None
    parameters: Document | None = None
    step_parameters: Document | None = None
    """For the step that the fork begins with."""
    principal: str | None = None
    steps: Sequence[NewStep] | None = None
    """Worked out anew from other inputs; those before the fork begins are not looked at."""
    preset_version: int | None = None
    files: Sequence[StoredArtifact] | None = None
    """What it is given in place of what the original was given."""
    consents: Sequence[GivenConsent] | None = None
    """In place of those of the original, which were given for its inputs."""


async def fork_job(access: JobAccess, job_id: int, from_step: str, changes: Changes) -> Change:
    """Copy the steps before `from_step`, which must be finished, into a new job; the others run anew."""
    async with locked_book(access, job_id) as (connection, book):
        if book.job.status == "deleting":
            raise WindmillError("CONFLICT", "the job is being deleted")
        if book.job.preset and changes.steps is None and (changes.inputs, changes.parameters) != (None, None):
            said = "the steps of a preset are worked out of its inputs, which takes the preset"
            raise WindmillError("CONFLICT", said, "submit the preset again with other inputs")
        first = _position(book, from_step)
        fork = await insert_job(connection, _new_job(book, first, changes), forked_from=job_id)
        assert fork is not None
        new_id = fork.job.job_id
        await connection.execute(queries()["copy_finished_steps"], job_id, new_id, first, changes.files is None)
        if changes.consents is None:
            await connection.execute(queries()["copy_consents"], job_id, new_id)
        with_copies = await open_book(connection, new_id)
        assert with_copies
        return await start_job(connection, access, with_copies)


def _position(book: JobBook, name: str) -> int:
    """Where the fork begins; all before must be finished."""
    found = [step.position for step in book.steps if step.name == name]
    if not found:
        raise WindmillError("NOT_FOUND", f"the job has no step {name}")
    for step in book.steps[: found[0]]:
        if step.status not in ("succeeded", "skipped"):
            raise WindmillError("CONFLICT", f"the step {step.name} before {name} is {step.status}")
    return found[0]


def _new_job(book: JobBook, first: int, changes: Changes) -> NewJob:
    job = book.job
    return NewJob(
        kind=job.kind,
        steps=_new_steps(book, first, changes),
        inputs=job.inputs if changes.inputs is None else changes.inputs,
        parameters=job.parameters if changes.parameters is None else changes.parameters,
        preset=job.preset,
        preset_version=changes.preset_version or job.preset_version,
        priority=job.priority,
        principal=job.principal if changes.principal is None else changes.principal,
        failure_budget=job.failure_budget,
        files=changes.files or (),
        consents=changes.consents or (),
    )


def _new_steps(book: JobBook, first: int, changes: Changes) -> list[NewStep]:
    kept = [_new_step(step, first, changes) for step in book.steps]
    return kept if changes.steps is None else [*kept[:first], *changes.steps[first:]]


def _new_step(step: StepRow, first: int, changes: Changes) -> NewStep:
    own = changes.step_parameters is not None and step.position == first
    parameters = changes.step_parameters if own else step.parameters
    return NewStep(step.step, step.version, step.streams, parameters or {}, step.weight, step.cost, step.skip_reason)
