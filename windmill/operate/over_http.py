"""Use-cases that work here, with database and store, or over HTTP, with the gateway at WINDMILL_URL. A command calls
the same function either way, so it is written once."""

import logging
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from windmill.core.errors import WindmillError
from windmill.core.extras import install_extra
from windmill.core.setting_parts import ClientSettings

if TYPE_CHECKING:
    from windmill.client import AsyncClient

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")
UseCase = Callable[Concatenate[S, P], Coroutine[Any, Any, T]]


def over_http(
    remote: "Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]",
) -> "Callable[[UseCase[S, P, T]], UseCase[S, P, T]]":
    """The decorated use-case takes settings first; where these name a gateway, `remote` does it instead."""

    def decorate(local: "UseCase[S, P, T]") -> "UseCase[S, P, T]":
        @wraps(local)
        async def either(settings: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
            if isinstance(settings, ClientSettings) and settings.windmill_url:
                async with open_client(settings) as client:
                    return await remote(client, *args, **kwargs)
            return await local(settings, *args, **kwargs)

        return either

    return decorate


def open_client(settings: ClientSettings) -> "AsyncClient":
    """The client is loaded only here: on a machine of the fleet it may not be installed."""
    try:
        from windmill.client import AsyncClient
    except ImportError as error:
        said = "speaking to a gateway needs httpx, which is not installed"
        raise WindmillError("DEPENDENCY_MISSING", said, install_extra("client")) from error
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return AsyncClient(settings.windmill_url, settings.windmill_key or None)
