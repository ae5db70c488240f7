"""What pages are looked at with: images, jobs and talks, each made once for all tests of a process."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest_asyncio

from tests.integration.gateway.pages.page_scene import PageScene
from tests.integration.gateway.pages.seen_images import SeenImages, draw, fill_images
from tests.integration.gateway.pages.seen_jobs import SeenJobs, fill_jobs, fill_video
from tests.integration.gateway.pages.seen_talks import Talk, TalkHand, heard
from windmill.core.settings import Settings
from windmill.storage.artifacts.opening import open_artifact_store


@dataclass(frozen=True)
class Album:
    """Images in the database of the gateway."""

    pages: PageScene
    seen: SeenImages

    async def count(self, statement: str, *values: object) -> int:
        return int(await self.pages.fleet.rows.fetchval(statement, *values))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def album(pages: PageScene) -> AsyncIterator[Album]:
    root = pages.fleet.folder / "seen"
    root.mkdir(exist_ok=True)  # another group of tests of this process may have had it
    yield Album(pages, await fill_images(pages.fleet.rows, pages.fleet.settings, root))


@dataclass(frozen=True)
class Works:
    """Jobs in the database of the gateway."""

    pages: PageScene
    seen: SeenJobs
    video: str

    async def job(self, public_id: str) -> Any:  # noqa: ANN401 - the driver's record
        return await self.pages.fleet.rows.fetchrow("SELECT * FROM jobs WHERE public_id = $1::uuid", public_id)

    async def count(self, statement: str, *values: object) -> int:
        return int(await self.pages.fleet.rows.fetchval(statement, *values))

    async def audited(self, action: str) -> int:
        return await self.count("SELECT count(*) FROM audit_log WHERE action = $1", action)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def works(pages: PageScene) -> AsyncIterator[Works]:
    picture = pages.fleet.folder / "portrait.png"
    draw(picture, "#b8432f")
    store = open_artifact_store(Settings.from_env({**pages.fleet.environ, "ARTIFACTS_URL": str(pages.scene.store)}))
    seen = await fill_jobs(pages.scene.jobs, pages.fleet.rows, store, picture)
    clip = pages.fleet.folder / "clip.mp4"
    clip.write_bytes(b"no browser plays this")
    video = await fill_video(pages.scene.jobs, pages.fleet.rows, store, clip)
    await pages.fleet.rows.execute("UPDATE jobs SET principal = 'ann'")
    yield Works(pages, seen, video)


@dataclass(frozen=True)
class Talks:
    """Ann, who begins talks for the group that bob is a member of."""

    pages: PageScene
    hand: TalkHand
    ann: httpx.AsyncClient
    bob: httpx.AsyncClient
    group: str

    async def new(self) -> Talk:
        session = await self.hand.recorded(self.ann, group_id=self.group, told=["bob"])
        await self.hand.hears(session, heard())
        return Talk(session, self.ann)

    async def count(self, statement: str, *values: object) -> int:
        return int(await self.pages.fleet.rows.fetchval(statement, *values))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def talks(pages: PageScene) -> AsyncIterator[Talks]:
    ann = await pages.scene.user("operator", "ann")
    async with httpx.AsyncClient(base_url=pages.scene.url, headers=ann.headers, timeout=30) as kept:
        bob_key = await pages.scene.key("operator", "bob")
        async with httpx.AsyncClient(
            base_url=pages.scene.url, headers={"Authorization": f"Bearer {bob_key}"}, timeout=30
        ) as bob:
            group = (await kept.post("/groups", json={"name": "makan"})).json()
            await bob.post("/groups/join", json={"invite_code": group["invite_code"]})
            yield Talks(pages, TalkHand(pages), kept, bob, group["id"])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def talk(talks: Talks) -> Talk:
    """One that nobody changes."""
    return await talks.new()
