"""Which addresses a client may connect to: whatever a name leads to, only public ones and those that are allowed."""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from windmill.kernels.net.private_hosts import address_allowed


class ForbiddenAddress(OSError):
    """A name leads to no address that may be asked."""


class AllowlistResolver(AbstractResolver):
    """Resolves names and keeps only the allowed addresses. aiohttp connects to these very addresses without resolving
    again, so DNS rebinding cannot redirect it after the check. It asks no resolver where a URL holds an address, so
    `fit_image_url` has to judge the URL before."""

    def __init__(self, allowed: frozenset[str], resolver: AbstractResolver) -> None:
        self._allowed = allowed
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        fit = [entry for entry in found if address_allowed(host, entry["host"], self._allowed)]
        if not fit:
            raise ForbiddenAddress(f"{host} resolves to no public address")
        return fit

    async def close(self) -> None:
        await self._resolver.close()


def refusal_of(error: Exception) -> ForbiddenAddress | None:
    """Why a client did not connect, if that was forbidden: aiohttp wraps what its resolver raises."""
    inner = getattr(error, "os_error", None)
    return inner if isinstance(inner, ForbiddenAddress) else None
