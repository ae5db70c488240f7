"""Asking for runs in the name of somebody, with a row in the audit log and a charge to the key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.operate.jobs.recorded_change import charge
from windmill.storage.api_keys import ApiKey
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction
from windmill.submit import asked_runs
from windmill.submit.asked_runs import AskedRun, RunRequest, jobs_of_images
from windmill.submit.job_sender import JobSender
from windmill.submit.runs import RunProgress, Runs
from windmill.submit.selection import Submission


@dataclass(frozen=True)
class RunAsker:
    """Asks in the name of one person or program; a new run counts as one job against the quota of its key."""

    pool: Pool
    settings: DatabaseSettings
    actor: Actor
    key: ApiKey | None = None

    async def ask(self, asked: RunRequest) -> AskedRun:
        """Over all images that are registered now."""
        return await asked_runs.ask_run(self.pool, self.settings, asked, self._witness(asked.submission))

    async def cancel(self, run_id: int, principal: str | None) -> None:
        """Publish no more of it; done again, it changes nothing."""

        async def told(connection: Connection, cancelled: int) -> None:
            await write_audit(connection, self.actor, "runs.cancel", str(cancelled), None, {"status": "cancelled"})

        await asked_runs.cancel_run(self.pool, self.settings, run_id, principal, told)

    async def try_image(self, sender: JobSender, image_id: int, services: Sequence[str], principal: str) -> AskedRun:
        """Ask these services about one image at once, whatever they said before. If the broker is away the run stays,
        and is published once it is back."""
        submission = Submission(tuple(services), "all", None, urgent=True)
        asked = await asked_runs.ask_run_of_image(
            self.pool, self.settings, RunRequest(submission, principal), image_id, self._witness(submission)
        )
        images = await jobs_of_images(self.pool, self.settings, [image_id], services)
        try:
            await sender.send_urgent(images)
        except WindmillError as error:
            if error.code != "BROKER_UNAVAILABLE":
                raise
            return asked
        jobs = sum(len(image.services) for image in images)
        progress = RunProgress(asked.run_id, image_id, image_id, images=1, jobs=jobs)
        async with transaction(self.pool, self.settings) as connection:
            await Runs(connection, self.settings).save_progress(progress, finished=True)
        return asked

    def _witness(self, submission: Submission) -> asked_runs.OnRun:
        async def told(connection: Connection, run_id: int) -> None:
            await write_audit(connection, self.actor, "runs.create", str(run_id), None, _told(submission))
            if self.key:
                await charge(connection, self.key)

        return told


def _told(submission: Submission) -> Mapping[str, Any]:
    return {
        "services": list(submission.services),
        "selection": submission.selection,
        "group": submission.image_group,
        "urgent": submission.urgent,
    }


async def answering_image(pool: Pool, settings: DatabaseSettings, image_id: int) -> int:
    """The image whose answers are those of this one: itself, or the original of a copy; raises NOT_FOUND."""
    async with transaction(pool, settings) as connection:
        found = await connection.fetchrow(queries()["find_answering_image"], image_id)
    if found is None:
        raise WindmillError("NOT_FOUND", f"there is no image {image_id}", "list the images")
    return int(found["answering_id"])
