"""A gateway with pages to look at, and a browser that notes whatever a page must not do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Request, Response

from tests.integration.gateway_scene import GatewayScene
from tests.unit.world import JOB
from windmill.core.messages import CODE_HEADER, FAILED_AT_HEADER, REASON_HEADER, encode
from windmill.storage.api_keys import KeyScope

FRAGMENT_BYTES = 5_000
_WORKER = """
INSERT INTO workers (process, service, worker_id, host, pid, started_at, heartbeat_at, done, failed, retried,
                     unavailable, rate, retry_rate, in_progress, concurrency, concurrency_auto, breaker, breaker_reason)
VALUES (gen_random_uuid(), $1, $2, $2, 7, now() - interval '1 hour', now() + make_interval(secs => $3), 120, 2, 1,
        0, $4, 0, $5, 4, false, $6, $7)
"""
_ANSWERS = """
INSERT INTO results (image_id, service, data, status, error_code, error_message, processing_time, result_created)
SELECT i, $1, '{}', CASE WHEN i % 25 = 0 THEN 'error' ELSE 'success' END,
       CASE WHEN i % 25 = 0 THEN 'SERVICE_TIMEOUT' END, CASE WHEN i % 25 = 0 THEN 'slow' END, 0.2,
       now() - make_interval(secs => (i * 37) % 1700 + 60)
FROM generate_series(1, $2::int) AS i
"""


@dataclass
class Look:
    """A page in the browser, and what it did: where it asked, what the policy refused, and how much came."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    first_bytes: int = 0
    fragments: list[int] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("console", lambda said: self._complain(said.type, said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._requested)
        self.page.on("response", self._answered)

    def _complain(self, kind: str, text: str) -> None:
        if kind == "error":
            self.complaints.append(text)

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "about:")):
            self.foreign.append(request.url)

    async def _answered(self, response: Response) -> None:
        size = int(response.headers.get("content-length", 0))
        if "/ui/live/" in response.url:
            self.fragments.append(size)
        else:
            self.first_bytes += size

    async def go(self, path: str) -> None:
        await self.page.goto(self.origin + path)

    async def text(self, selector: str) -> str:
        return (await self.page.inner_text(selector)).strip()

    async def says(self, selector: str, words: str) -> bool:
        return words in await self.text(selector)

    async def number(self, selector: str) -> int:
        """What a cell shows; less than nothing where it is a dash."""
        shown = (await self.text(selector)).replace(",", "")
        return int(shown) if shown.isdigit() else -1

    async def violations(self, *rules: str) -> list[str]:
        """What axe has against the page, by all its rules or only these."""
        options: dict[str, Any] = {"resultTypes": ["violations"]}
        if rules:
            options["runOnly"] = list(rules)
        found = (await Axe().run(self.page, options=options)).response["violations"]
        return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]

    async def unfit(self, path: str, *rules: str) -> list[str]:
        """Why a page is not for everybody: what axe has against it, and that it is wider than the screen."""
        await self.go(path)
        wide, screen = await self.page.evaluate("document.documentElement.scrollWidth"), self.page.viewport_size
        too_wide = [f"is {wide} wide"] if screen and wide > screen["width"] else []
        return [f"{path} {one}" for one in (*await self.violations(*rules), *too_wide)]

    def must_be_clean(self) -> None:
        assert not self.complaints, self.complaints
        assert not self.foreign, self.foreign
        assert all(size <= FRAGMENT_BYTES for size in self.fragments), self.fragments


class PageScene:
    """Looks at pages with the key of any scope."""

    def __init__(self, scene: GatewayScene, browser: Browser) -> None:
        self.scene, self.fleet, self._browser = scene, scene.fleet, browser
        self.keys: dict[KeyScope, str] = {}

    async def begin(self) -> None:
        """Services in every state, with something that waits, has failed, and is done."""
        await self._fill()
        await self.scene.start()
        scopes: tuple[KeyScope, ...] = ("viewer", "operator", "admin")
        for scope in scopes:
            self.keys[scope] = await self.scene.key(scope, "ann")

    async def _fill(self) -> None:
        fleet, rows = self.fleet, self.fleet.rows
        await fleet.register(400, "holidays")
        await fleet.declare("clip", "yolov8", "face", "ocr", "blip", "nsfw2")
        for service, number in (("clip", 7), ("yolov8", 12), ("ocr", 3)):
            for _ in range(number):
                await fleet.put(service, encode(JOB))
        for service, number in (("clip", 300), ("face", 200), ("ocr", 150)):
            await rows.execute(_ANSWERS, service, number)
        reason = "SERVICE_UNREACHABLE: connection refused by k3:7773. Remedy: start the service"
        for values in (
            ("clip", "k1", 0, 4.5, 3, "closed", None),
            ("face", "k1", 0, 2.0, 2, "closed", None),
            ("yolov8", "k3", 0, 0.0, 0, "open", reason),
            ("ocr", "k4", 0, 0.4, 1, "half-open", reason),
            ("pose", "k7", -700, 0.0, 0, "closed", None),
            ("cut", "k5", 0, 0.1, 1, "closed", None),
        ):
            await rows.execute(_WORKER, *values[:2], float(values[2]), *values[3:])
        await self.park("clip", "SERVICE_TIMEOUT", 3)
        await self.park("yolov8", "BAD_RESPONSE", 2)

    async def park(self, service: str, code: str, number: int) -> None:
        """Jobs of the service that were given up."""
        for one in range(number):
            body = orjson.dumps({**orjson.loads(encode(JOB)), "image_filename": f"park-{one}.jpg"})
            headers = {CODE_HEADER: code, REASON_HEADER: "no answer in 30.0 s from /srv/models/a.sock",
                       FAILED_AT_HEADER: f"2026-11-28T0{one % 9}:12:00+00:00"}  # fmt: skip
            await self.fleet.put(f"{service}.failed", body, headers)

    @asynccontextmanager
    async def look(
        self, scope: KeyScope | None = "operator", *, scripts: bool = True, width: int = 1400, scheme: str = "light"
    ) -> AsyncIterator[Look]:
        """A window of somebody with a key of this scope; None has yet to log in."""
        context = await self._browser.new_context(
            java_script_enabled=scripts,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        url = self.scene.url
        if scope:
            host = urlsplit(url).hostname or ""
            await context.add_cookies(
                [{"name": "windmill_key", "value": self.keys[scope], "domain": host, "path": "/"}]
            )
        look = Look(await context.new_page(), url)
        look.listen()
        try:
            yield look
        finally:
            await context.close()
