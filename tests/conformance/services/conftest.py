"""What the tests of the farm share."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.conformance.services import pictures


async def web_page(_request: web.Request) -> web.Response:
    return web.Response(text="<html>", content_type="text/html")


async def web_picture(_request: web.Request) -> web.Response:
    return web.Response(body=pictures.PLAIN, content_type="image/jpeg")


@pytest.fixture
async def website() -> AsyncIterator[str]:
    """A web site with a page and a picture."""
    app = web.Application()
    app.add_routes([web.get("/page", web_page), web.get("/picture", web_picture)])
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")
