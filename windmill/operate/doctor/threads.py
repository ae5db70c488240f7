"""Blocking calls on daemon threads."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def in_thread(call: Callable[[], T]) -> "asyncio.Future[T]":
    """The result of `call`. The process can exit while a call hangs on a share or a name server, which the threads of
    asyncio prevent."""
    result: concurrent.futures.Future[T] = concurrent.futures.Future()
    result.set_running_or_notify_cancel()
    threading.Thread(target=_fill, args=(result, call), daemon=True).start()
    return asyncio.wrap_future(result)


def _fill(result: "concurrent.futures.Future[T]", call: Callable[[], T]) -> None:
    try:
        value = call()
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
        result.set_exception(error)
    else:
        result.set_result(value)
