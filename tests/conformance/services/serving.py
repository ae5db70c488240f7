"""A farm inside the test's own process, and a client that says what came back."""

import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from dev.farm.contract import TRAITS
from dev.farm.prediction_pool import AnswerSource, PredictionPool
from dev.farm.server import Farm, StandInAddress

SERVICES = tuple(TRAITS)
CLOSED_PORT = 1


@dataclass(frozen=True)
class Got:
    """An HTTP reply, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self.body)


class Client:
    """Requests to the services of one farm."""

    def __init__(self, farm: Farm, session: aiohttp.ClientSession) -> None:
        self.farm = farm
        self._session = session

    async def request(self, service: str, method: str, path: str, **options: Any) -> Got:  # noqa: ANN401 - aiohttp's
        async with self._session.request(method, self.farm.url(service) + path, **options) as reply:
            return Got(reply.status, reply.headers, await reply.read())

    async def get(self, service: str, path: str = "/analyze", **query: str) -> Got:
        return await self.request(service, "GET", path, params=query)

    async def upload(
        self,
        service: str,
        data: bytes,
        filename: str = "image.jpg",
        *,
        field: str = "file",
        path: str = "/analyze",
        **query: str,
    ) -> Got:
        form = aiohttp.FormData()
        form.add_field(field, io.BytesIO(data), filename=filename, content_type="image/jpeg")
        return await self.request(service, "POST", path, data=form, params=query)


@asynccontextmanager
async def serving(
    *services: str, knowledge: AnswerSource | None = None, seed: int = 0, keep_alive: bool = False
) -> AsyncIterator[Client]:
    """A farm of these services on free ports, and a client for it."""
    pool = PredictionPool(seed, knowledge) if knowledge else None
    plots = [StandInAddress(service, 0) for service in services]
    async with (
        Farm(plots, seed=seed, keep_alive=keep_alive, pool=pool) as farm,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session,
    ):
        yield Client(farm, session)
