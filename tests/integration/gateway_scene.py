"""A real gateway on a real database, with keys, as its users meet it."""

import re
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.integration.fleet import Command, Fleet
from tests.job_scene import JobScene
from windmill.core.settings import Settings
from windmill.operate.keys.keys import NewKey, create_key
from windmill.storage import database
from windmill.storage.api_keys import KeyScope
from windmill.storage.audit_log import Actor

NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of plain HTTP: to read all authorities of the world takes each client longer than a request."""
PRESET = {"preset": "cinematic_portrait_v1", "inputs": {"prompt": "a lighthouse"}}


class GatewayScene:
    """Starts gateways, makes keys, and gives a client for each."""

    def __init__(self, fleet: Fleet, jobs: JobScene, pool: database.Pool, stack: AsyncExitStack, store: Path) -> None:
        self.fleet, self.jobs, self.store = fleet, jobs, store
        self._pool, self._stack = pool, stack
        self.url = ""

    async def start(self, **variables: str) -> Command:
        """A gateway on a free port; clients that are made from now on speak to it."""
        gateway = self.fleet.start("gateway", GATEWAY_PORT="0", ARTIFACTS_URL=str(self.store), **variables)
        await gateway.says(" listening ")
        found = re.search(r"address=(\S+)", gateway.log)
        assert found, gateway.log
        self.url = found[1]
        return gateway

    async def key(self, scope: KeyScope, principal: str = "ann", **given: Any) -> str:  # noqa: ANN401 - fields of NewKey
        new = NewKey(f"{principal}'s", principal, scope, **given)
        return (await create_key(self._pool, self.fleet.settings, Actor("test"), new)).text

    async def client(self, key: str | None = None, **headers: str) -> httpx.AsyncClient:
        """A client with this key, or without one."""
        sent = {**headers, **({"Authorization": f"Bearer {key}"} if key else {})}
        client = httpx.AsyncClient(base_url=self.url, headers=sent, timeout=30, verify=NO_AUTHORITIES)
        return await self._stack.enter_async_context(client)

    async def user(self, scope: KeyScope, principal: str = "ann", **given: Any) -> httpx.AsyncClient:  # noqa: ANN401 - fields of NewKey
        """A client with a new key."""
        return await self.client(await self.key(scope, principal, **given))


@asynccontextmanager
async def gateway_scene(fleet: Fleet, settings: Settings, folder: Path) -> AsyncIterator[GatewayScene]:
    async with AsyncExitStack() as stack, database.pool(settings, "test", max_size=4) as pool:
        yield GatewayScene(fleet, JobScene(pool, settings, fleet.rows), pool, stack, folder / "artifacts")


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The body of an answer that must be this problem."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    body: dict[str, Any] = answer.json()
    assert (body["error"], body["error_code"], body["status"], body["ok"]) == (code, code, status, False)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["remediation"]
    return body
