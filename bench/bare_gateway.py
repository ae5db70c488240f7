"""The handler that the gateway is compared with: FastAPI on the same server, with the statements of the gateway in one
transaction, and neither validation nor keys nor shaping: python -m bench.bare_gateway PORT KEY JOB"""

import contextlib
import sys
import uuid
from collections.abc import AsyncIterator

import uvicorn
from fastapi import FastAPI, Request, Response

from bench.gateway_statements import Noted, note_statements
from windmill.core.settings import Settings, environment
from windmill.storage import database

CONNECTIONS = 10
"""As many as a gateway has."""


def bare_app(settings: Settings, key: str, known: uuid.UUID) -> FastAPI:
    noted: dict[str, Noted] = {}
    pools: list[database.Pool] = []

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        noted.update(await note_statements(settings, key, known))
        async with database.pool(settings, "bare", max_size=CONNECTIONS) as pool:
            pools.append(pool)
            yield

    async def ask(name: str, public_id: uuid.UUID | None = None) -> Response:
        async with pools[0].acquire() as connection, connection.transaction():
            await noted[name].ask_again(connection, public_id)
        return Response(b'{"ok": true}', media_type="application/json")

    app = FastAPI(openapi_url=None, lifespan=lifespan)

    @app.post("/jobs")
    async def make(request: Request) -> Response:
        await request.body()
        return await ask("make")

    @app.get("/jobs/{public_id}")
    async def show(public_id: uuid.UUID) -> Response:
        return await ask("show", public_id)

    @app.get("/jobs")
    async def page() -> Response:
        return await ask("list")

    return app


if __name__ == "__main__":
    app = bare_app(Settings.from_env(environment()), sys.argv[2], uuid.UUID(sys.argv[3]))
    uvicorn.run(
        app, port=int(sys.argv[1]), loop="uvloop", http="httptools", ws="none", access_log=False, log_level="warning"
    )
