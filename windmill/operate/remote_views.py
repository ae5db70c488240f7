"""The views of windmill.operate.views, as the gateway makes them."""

from typing import TYPE_CHECKING

from windmill.operate.view import View

if TYPE_CHECKING:
    from windmill.client import AsyncClient


async def view_status(client: "AsyncClient", services: str, lost_after: float, *, workers: bool) -> View:
    return await _view(client, "status", services=services, lost_after=lost_after, workers=workers)


async def view_queues(client: "AsyncClient", services: str) -> View:
    return await _view(client, "queues", services=services)


async def view_image(client: "AsyncClient", image: str) -> View:
    return await _view(client, "image", image=image)


async def view_presets(
    client: "AsyncClient", category: str | None, engine: str | None, *, everything: bool, measured: bool
) -> View:
    wanted = {"category": category, "engine": engine, "everything": everything, "measured": measured}
    return await _view(client, "presets", **wanted)


async def view_preset(client: "AsyncClient", preset: str, *, measured: bool) -> View:
    return await _view(client, "preset", preset=preset, measured=measured)


async def _view(client: "AsyncClient", name: str, **query: object) -> View:
    from windmill.client.calls import Call

    params = {key: str(one).lower() if isinstance(one, bool) else one for key, one in query.items() if one is not None}
    found = (await client.call(Call("GET", f"/views/{name}", params))).json()
    return View(found["document"], found["text"], found["notes"], found["exit_code"])
