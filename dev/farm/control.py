"""The control port of the farm: faults and counts as JSON. Service ports serve nothing but the contract."""

import json
from collections.abc import Awaitable, Mapping
from typing import Any, TypeGuard

from aiohttp import web

from dev.farm.addresses import LOOPBACK
from dev.farm.server import GRACE_SECONDS, Farm, cannot_open, must_be_a_port
from windmill.core.errors import Code, WindmillError

_NAME = "the control port"


class Control:
    """Serves the control port; always on loopback."""

    def __init__(self, farm: Farm, port: int) -> None:
        self.port = port
        self._farm = farm
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def open(self) -> None:
        must_be_a_port(_NAME, LOOPBACK, self.port)
        app = web.Application()
        app.add_routes(
            [
                web.get("/services", self._services),
                web.get("/faults", self._show_faults),
                web.put("/faults", self._set_faults),
                web.delete("/faults", self._clear_faults),
                web.get("/counts", self._counts),
                web.delete("/counts", self._reset_counts),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_SECONDS)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, LOOPBACK, self.port).start()
        except OSError as exc:
            await self.close()
            raise cannot_open(_NAME, LOOPBACK, self.port, exc) from exc
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> "Control":
        await self.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def _services(self, _request: web.Request) -> web.Response:
        return web.json_response({name: self._farm.url(name) for name in self._farm.gates})

    async def _show_faults(self, _request: web.Request) -> web.Response:
        return self._faults()

    async def _set_faults(self, request: web.Request) -> web.Response:
        """Body: `{"services": [...], "faults": {"error-rate": 0.3}}`."""
        body = _object(await request.read())
        services, changes = self._named(body), body.get("faults")
        if not _are_numbers(changes):
            raise _bad_request("'faults' must be an object of numbers", "see: python -m dev.farm fault set --help")
        return await self._changed(self._farm.set_faults(services, changes))

    async def _clear_faults(self, request: web.Request) -> web.Response:
        services = self._named(_object(await request.read()))
        return await self._changed(self._farm.clear_faults(services))

    async def _changed(self, change: Awaitable[None]) -> web.Response:
        try:
            await change
        except WindmillError as exc:
            raise _bad_request(exc.message, exc.remedy, exc.code) from exc
        return self._faults()

    async def _counts(self, _request: web.Request) -> web.Response:
        return web.json_response({n: handler.counts.render_json() for n, handler in self._farm.handlers.items()})

    async def _reset_counts(self, _request: web.Request) -> web.Response:
        for handler in self._farm.handlers.values():
            handler.counts.reset()
        return web.json_response({})

    def _faults(self) -> web.Response:
        return web.json_response({n: dict(handler.faults.values) for n, handler in self._farm.handlers.items()})

    def _named(self, body: Mapping[str, Any]) -> list[str]:
        named = body.get("services")
        known = self._farm.handlers
        if not isinstance(named, list) or not named or any(name not in known for name in named):
            raise _bad_request(f"not served here: {named}", f"served: {', '.join(known)}", "NOT_FOUND")
        return named


def _are_numbers(value: object) -> TypeGuard[dict[str, float]]:
    return isinstance(value, dict) and all(isinstance(number, int | float) for number in value.values())


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError as exc:
        raise _bad_request(f"not JSON: {exc}", 'send {"services": [...]}') from exc
    if not isinstance(document, dict):
        raise _bad_request("not a JSON object", 'send {"services": [...]}')
    return document


def _bad_request(message: str, remedy: str, code: Code = "USAGE") -> web.HTTPException:
    text = json.dumps({"error": message, "remedy": remedy, "code": code})
    return web.HTTPBadRequest(text=text, content_type="application/json")
