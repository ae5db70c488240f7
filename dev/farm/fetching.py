"""Fetching a picture that a request names, from a URL or a file."""

from pathlib import Path

import aiohttp

from dev.farm.contract import MAX_BYTES, Traits
from dev.farm.replies import Refusal

DOWNLOAD_SECONDS = 10.0


class Downloads:
    """Pictures by URL; opens its HTTP session at the first use."""

    def __init__(self, timeout_seconds: float = DOWNLOAD_SECONDS) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, url: str, traits: Traits) -> bytes:
        """The picture at a URL; a failed download raises the service's Refusal."""
        if not url.lower().startswith(("http://", "https://")):
            raise Refusal(traits.unreachable_url, f"Failed to download image: not an http(s) URL: {url}")
        try:
            return await self._download(url)
        except (aiohttp.ClientError, TimeoutError, ValueError) as exc:
            reason = str(exc) or type(exc).__name__
            raise Refusal(traits.unreachable_url, f"Failed to download image: {reason}") from exc

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _download(self, url: str) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        async with self._session.get(url) as response:
            response.raise_for_status()
            if not response.content_type.startswith("image/"):
                raise Refusal(400, f"URL does not point to an image (content type {response.content_type})")
            data = await response.content.read(MAX_BYTES + 1)
            while len(data) <= MAX_BYTES and not response.content.at_eof():
                data += await response.content.read(MAX_BYTES + 1 - len(data))
        if len(data) > MAX_BYTES:
            raise Refusal(400, "File too large. Maximum size: 8MB")
        return data


def read_file(path: str) -> bytes:
    """The file a `file=` parameter names; like the real services, no directory is out of bounds."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as exc:
        raise Refusal(400, f"File not found: {path}") from exc
    if len(data) > MAX_BYTES:
        raise Refusal(400, "File too large. Maximum size: 8MB")
    return data
