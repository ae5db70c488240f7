"""The same by a gateway."""

import uuid
from typing import TYPE_CHECKING

from windmill.operate.jobs.remote import show_job
from windmill.operate.jobs.shown import Shown
from windmill.operate.search.render import render_hits
from windmill.operate.view import View

if TYPE_CHECKING:
    from windmill.client import AsyncClient
    from windmill.operate.search.exporting import ExportRequest


async def view_search(client: "AsyncClient", query: str, limit: int, cursor: str | None, *, explain: bool) -> View:
    from windmill.client.calls import Call

    params: dict[str, str | int] = {"query": query, "limit": limit, **({"cursor": cursor} if cursor else {})}
    document = (await client.call(Call("GET", "/search", params))).json()
    return View(document, render_hits(document, explain=explain))


async def begin_export(client: "AsyncClient", request: "ExportRequest", by: str) -> Shown:  # noqa: ARG001 - the key says who
    from windmill.client.calls import Call

    sent = {name: one for name, one in request.inputs(0).items() if name != "last_image_id"}
    job = (await client.call(Call("POST", "/exports", json=sent))).json()["job"]
    return await show_job(client, uuid.UUID(job["public_id"]))
