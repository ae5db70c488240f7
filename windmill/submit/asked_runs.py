"""Runs that people ask for and a long-running program publishes: written first, so that nothing of them is lost."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import CONNECT_SECONDS, Connection, Pool, translate_errors
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction
from windmill.submit.runs import Runs
from windmill.submit.selection import ImageJobs, RegisteredImages, Selection, Submission

OnRun = Callable[[Connection, int], Awaitable[None]]
"""Called with the id of a run, in the transaction that makes or cancels it."""


@dataclass(frozen=True)
class RunRequest:
    """Who asks for what. `idempotency_key` names this request, whose digest tells it from another one under the same
    key."""

    submission: Submission
    principal: str
    idempotency_key: str | None = None
    request_digest: str | None = None


@dataclass(frozen=True)
class AskedRun:
    """The run that stands for the request; `replayed` if the same request made it before."""

    run_id: int
    replayed: bool = False


@dataclass(frozen=True)
class ImageRange:
    """The images with ids above `first`, up to `until`."""

    first: int
    until: int


async def ask_run(pool: Pool, settings: DatabaseSettings, asked: RunRequest, on_asked: OnRun) -> AskedRun:
    """Write a run over all images that are registered now; raises NOT_FOUND for an unknown group."""
    submission = asked.submission
    with translate_errors(settings):
        async with pool.acquire(timeout=CONNECT_SECONDS) as connection:
            if submission.image_group:
                await RegisteredImages(connection, settings).require_group(submission.image_group)
            runs = Runs(connection, settings)
            until = await runs.bound()
            images = ImageRange(await runs.first(submission), until)
    async with transaction(pool, settings) as connection:
        return await _write(connection, asked, images, on_asked)


async def ask_run_of_image(
    pool: Pool, settings: DatabaseSettings, asked: RunRequest, image_id: int, on_asked: OnRun
) -> AskedRun:
    """Write a run of one image."""
    async with transaction(pool, settings) as connection:
        return await _write(connection, asked, ImageRange(image_id - 1, image_id), on_asked)


async def _write(connection: Connection, asked: RunRequest, images: ImageRange, on_asked: OnRun) -> AskedRun:
    one, key = asked.submission, (asked.principal, asked.idempotency_key)
    run_id = await connection.fetchval(
        queries()["ask_run"],
        *(list(one.services), one.selection, one.image_group, images.first, images.until, one.urgent),
        *(*key, asked.request_digest),
    )
    if run_id is not None:
        await on_asked(connection, int(run_id))
        return AskedRun(int(run_id))
    found = await connection.fetchrow(queries()["find_asked_run"], *key)
    if found is None:
        raise WindmillError("BUSY", "a run with the same key was removed meanwhile")
    if found["request_digest"] != asked.request_digest:
        raise WindmillError("IDEMPOTENCY_MISMATCH", "another request was made under this Idempotency-Key")
    return AskedRun(found["run_id"], replayed=True)


async def cancel_run(
    pool: Pool, settings: DatabaseSettings, run_id: int, principal: str | None, on_cancelled: OnRun
) -> None:
    """Publish no more of it; what was published is done. Cancelled again, nothing changes; raises CONFLICT for one that
    was published whole, and NOT_FOUND for one of another principal."""
    async with transaction(pool, settings) as connection:
        found = await connection.fetchrow(queries()["lock_run"], run_id, principal)
        if found is None:
            raise no_run(run_id)
        if found["cancelled"]:
            return
        if found["finished"]:
            raise WindmillError("CONFLICT", f"run {run_id} was published whole", "wait for its answers")
        await connection.execute(queries()["cancel_run"], run_id)
        await connection.execute(queries()["end_run"], run_id, None)
        await on_cancelled(connection, run_id)


def no_run(run_id: int) -> WindmillError:
    return WindmillError("NOT_FOUND", f"there is no run {run_id}", "list the runs")


async def jobs_of_images(
    pool: Pool,
    settings: DatabaseSettings,
    image_ids: Sequence[int],
    services: Sequence[str],
    selection: Selection = "all",
) -> list[ImageJobs]:
    """The jobs of these services for images; copies and images that are gone have none."""
    submission = Submission(tuple(services), selection, None, image_ids)
    with translate_errors(settings):
        async with pool.acquire(timeout=CONNECT_SECONDS) as connection:
            pages = RegisteredImages(connection, settings).pages(submission, 0, 0)
            return [image async for page in pages for image in page.images]
