"""Posts to receivers: by the same rules as images are fetched, so never into the private network unless it is allowed,
and never after a redirect."""

import time
from collections.abc import Mapping

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver

from windmill.core.errors import WindmillError
from windmill.kernels.net.image_urls import UnfitImageUrl, fit_image_url
from windmill.media.image.allowlist_resolver import AllowlistResolver, refusal_of
from windmill.operate.webhooks.schedule import Answer

SECONDS = 20.0
_NAME = "the URL of the webhook"


def must_be_fit(url: str, allowed: frozenset[str]) -> None:
    """Raises USAGE for a URL that would be refused whatever its name leads to."""
    try:
        fit_image_url(url, allowed, name=_NAME)
    except UnfitImageUrl as error:
        raise WindmillError("USAGE", str(error), "give the URL of a public server, or set WEBHOOK_URL_ALLOW") from error


class WebhookPoster:
    """Sends one message at a time to one receiver."""

    def __init__(
        self, allowed: frozenset[str], seconds: float = SECONDS, resolver: AbstractResolver | None = None
    ) -> None:
        self._allowed, self._seconds, self._resolver = allowed, seconds, resolver
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "WebhookPoster":
        allowlist = AllowlistResolver(self._allowed, self._resolver or ThreadedResolver())
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=allowlist, force_close=True),
            timeout=aiohttp.ClientTimeout(total=self._seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> Answer:
        """What became of it. Nothing of what the receiver says is kept, nor of the URL, which may hold a password."""
        begun = time.monotonic()
        status, error, retry_after = await self._post(url, headers, body)
        return Answer(status, error, retry_after, time.monotonic() - begun)

    async def _post(
        self, url: str, headers: Mapping[str, str], body: str
    ) -> tuple[int | None, str | None, float | None]:
        assert self._session, "used outside `async with`"
        sent = {"Content-Type": "application/json", "User-Agent": "Windmill-Webhooks", **headers}
        try:
            fit = fit_image_url(url, self._allowed, name=_NAME)
            async with self._session.post(fit, data=body.encode(), headers=sent, allow_redirects=False) as reply:
                said = None if 200 <= reply.status < 300 else f"it answered {reply.status}"
                return reply.status, said, _seconds(reply.headers.get("Retry-After"))
        except UnfitImageUrl as refused:
            return None, str(refused), None
        except TimeoutError:
            return None, f"it did not answer within {self._seconds:g} s", None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return None, str(refusal_of(error) or type(error).__name__), None


def _seconds(text: str | None) -> float | None:
    """Retry-After as seconds; a date is not looked at."""
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else None
