"""What a task is made of. One that is made of the same as another that has succeeded is not run: segments of a video
that are done are found, in whatever job they were made."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import PurePath
from typing import Protocol, runtime_checkable

from windmill.core.jsonb import render_jsonb
from windmill.storage.artifacts.table import ArtifactRow
from windmill.storage.jobs.rows import ClaimedTask, Document


@runtime_checkable
class ReusesResults(Protocol):
    """A step whose results may be used again: its tasks depend on nothing but their input, their files and what they
    are made with."""

    def made_with(self, parameters: Document) -> Sequence[str] | None:
        """The versions of the programs and engines that work on a task of a step with these parameters; None if equal
        tasks may make different things with them. May block."""
        ...


def may_reuse(task: ClaimedTask) -> bool:
    """A task that has failed runs itself when it is tried again, and so does one that was suspended."""
    return not task.tries and not task.output


def digest_of_work(task: ClaimedTask, made_with: Sequence[str], files: Mapping[str, Sequence[ArtifactRow]]) -> str:
    """What a task is made of. Names of files do not count, but for what tells their kind; results of one principal are
    not used for another, who could otherwise find out what there is."""
    given = {name: [PurePath(row.name).suffix + row.key for row in rows] for name, rows in files.items()}
    whole = [task.principal, task.step, task.step_version, list(made_with), task.input, given]
    return sha256(render_jsonb(whole).encode()).hexdigest()
