"""The HTTP handler of one service: counts requests, injects faults, sends replies."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from typing import Any

from aiohttp import web

from dev.farm import http_io
from dev.farm.bad_replies import bad_reply
from dev.farm.counts import NO_REPLY, OTHER_PATHS, RequestCounts
from dev.farm.faults import Faults
from dev.farm.replies import StandInReply
from dev.farm.sources import Call
from dev.farm.standin import StandIn


class ServiceHandler:
    """Serves one stand-in over HTTP; the object is the handler that aiohttp calls."""

    def __init__(self, stand_in: StandIn, seed: int, *, keep_alive: bool = False) -> None:
        self.stand_in = stand_in
        self.counts = RequestCounts()
        self._seed = seed
        self._keep_alive = keep_alive
        self._open: dict[int, web.BaseRequest] = {}
        self.misbehave(Faults())

    def misbehave(self, faults: Faults) -> None:
        """Set these faults and reset the dice, so that the same seed hits the same requests."""
        self.faults = faults
        self.stand_in.healthy = not faults["unhealthy"]
        self.stand_in.blind = bool(faults["blind"])
        self._dice = random.Random(f"{self._seed}:{self.stand_in.service}")
        capacity = faults.whole("capacity")
        self._places: AbstractAsyncContextManager[Any] = asyncio.Semaphore(capacity) if capacity else nullcontext()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        with self.counts.request(), self._opened(request):
            fault, reply = await self._decide(request)
            heard = fault != "cut-reply-rate" and not http_io.is_gone(request)
            route = request.path if request.path in self.stand_in.routes else OTHER_PATHS
            self.counts.replied(request.method, route, reply.status if reply and heard else NO_REPLY)
        if reply is None:
            http_io.reset(request)
            return web.Response()
        if fault == "cut-reply-rate":
            return await http_io.send_half(request, reply)
        return http_io.to_response(reply, keep_alive=self._keep_alive)

    async def _decide(self, request: web.BaseRequest) -> tuple[str | None, StandInReply | None]:
        """The fault that hits this request, if any, and the reply; None when the fault suppresses it."""
        try:
            call = await http_io.read_call(request)
        except ConnectionError:
            # The client disconnected while it was sending.
            return None, None
        fault = self._fault(call)
        return fault, await self._reply(request, call, fault)

    @contextmanager
    def _opened(self, request: web.BaseRequest) -> Iterator[None]:
        self._open[id(request)] = request
        if self.faults["overlap-crash"] or self.faults["overlap-blind"]:
            self._suffer_from_overlap()
        try:
            yield
        finally:
            del self._open[id(request)]

    def _suffer_from_overlap(self) -> None:
        live = [request for request in self._open.values() if not http_io.is_gone(request)]
        if len(live) < 2:
            return
        self.stand_in.blind |= bool(self.faults["overlap-blind"])
        for request in live if self.faults["overlap-crash"] else []:
            http_io.reset(request)

    def _fault(self, call: Call) -> str | None:
        fault = self.faults.strike(self._dice) if self.stand_in.analyses(call) else None
        if fault:
            self.counts.faults[fault] += 1
        return fault

    async def _reply(self, request: web.BaseRequest, call: Call, fault: str | None) -> StandInReply | None:
        if fault == "reset-rate":
            return None
        if fault == "timeout-rate":
            await http_io.until_gone(request)
            return None
        if fault == "overload-rate":
            return self._turned_away()
        if not self.stand_in.analyses(call):
            return await self.stand_in.reply(call)
        async with self._places:
            await asyncio.sleep(self.faults["slowness"])
            return await self._analysed(call, fault)

    async def _analysed(self, call: Call, fault: str | None) -> StandInReply:
        if fault == "error-rate":
            return self.stand_in.failure(500, "Internal error: the model failed, as it was told to")
        if fault == "crash-rate":
            return self.stand_in.crash()
        if fault == "status-error-rate":
            return self.stand_in.failure(200, "The result could not be formatted, as it was told to")
        reply = await self.stand_in.reply(call)
        return bad_reply(fault, reply, self.faults, self._dice) if fault else reply

    def _turned_away(self) -> StandInReply:
        refused = self.stand_in.failure(self.faults.whole("overload-status"), "Overloaded; come back later")
        wait = {"Retry-After": str(self.faults.whole("retry-after"))}
        return StandInReply(refused.status, refused.body, refused.content_type, wait)
