"""What every gateway does beside answering: events for its readers, messages to webhooks, actions on many jobs,
batches, the ends of runs and batches, and what time does to sessions. All gateways of a database share the work."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.events.feed import EventFeed, database_feed
from gateway.events.stream_reads import StreamReads
from windmill.core.settings import Settings
from windmill.jobs.access import JobAccess
from windmill.operate.batches.running import BatchWork, Library, batch_runner
from windmill.operate.bulk.running import bulk_runner
from windmill.operate.bulk.work import BulkWork
from windmill.operate.ends import EndWatcher
from windmill.operate.leased_work import LeasedWork
from windmill.operate.sessions.upkeep import SessionUpkeep
from windmill.operate.webhooks.endpoints import WebhookAccess
from windmill.operate.webhooks.poster import WebhookPoster
from windmill.operate.webhooks.sender import Receiver, webhook_sender
from windmill.process.runner import background
from windmill.storage.artifacts.store import ArtifactStore
from windmill.submit.job_sender import JobSender

STREAM_READS = 3
"""Connections to the database that readers of streams take up at most, of all that a gateway has."""


@dataclass(frozen=True)
class ServerWork:
    """Its parts; `hurry` tells one of them that there is something to do."""

    feed: EventFeed
    reads: StreamReads
    poster: WebhookPoster
    sender: LeasedWork[Receiver]
    bulk: LeasedWork[BulkWork]
    batches: LeasedWork[BatchWork]
    ends: EndWatcher
    sessions: SessionUpkeep

    @contextlib.asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Do it while the block runs."""
        async with (
            self.poster,
            background(self.feed.run()),
            background(self.sender.work_for_ever()),
            background(self.bulk.work_for_ever()),
            background(self.batches.work_for_ever()),
            background(self.ends.watch_for_ever()),
            background(self.sessions.keep_up_for_ever()),
        ):
            yield


def server_work(
    settings: Settings, access: JobAccess, store: ArtifactStore, library: Library, sender: JobSender
) -> ServerWork:
    poster = WebhookPoster(frozenset(settings.webhook_url_allow))
    return ServerWork(
        database_feed(access.pool, settings),
        StreamReads(STREAM_READS),
        poster,
        webhook_sender(WebhookAccess(access.pool, settings), poster),
        bulk_runner(access, store),
        batch_runner(access, library, sender),
        EndWatcher(access.pool, settings),
        SessionUpkeep(access.pool, settings, store),
    )
