"""The same by a gateway."""

from typing import TYPE_CHECKING

from windmill.operate.search.render import render_hits
from windmill.operate.view import View

if TYPE_CHECKING:
    from windmill.client import AsyncClient


async def view_search(client: "AsyncClient", query: str, limit: int, cursor: str | None, *, explain: bool) -> View:
    from windmill.client.calls import Call

    params: dict[str, str | int] = {"query": query, "limit": limit, **({"cursor": cursor} if cursor else {})}
    document = (await client.call(Call("GET", "/search", params))).json()
    return View(document, render_hits(document, explain=explain))
