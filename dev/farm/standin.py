"""One stand-in service: turns a call into the reply of its contract, without sockets or faults."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dev.farm import replies
from dev.farm.answers import nothing_found
from dev.farm.contract import (
    ANALYZE_PATHS,
    CLASSES_PATH,
    DEPRECATED,
    FRAMEWORK,
    HEALTH_PATH,
    NO_MODEL,
    SCORE_PATHS,
    Traits,
)
from dev.farm.fetching import Downloads, read_file
from dev.farm.health import health
from dev.farm.pictures import BrokenImage, NotAnImage
from dev.farm.prediction_pool import NoModel, PredictionPool
from dev.farm.regions import region_count
from dev.farm.replies import Refusal, StandInReply
from dev.farm.sources import (
    Call,
    FromUpload,
    FromUrl,
    ImageReference,
    caption_of,
    choose_source,
    prompt_of,
    scored_source,
)

logger = logging.getLogger(__name__)

GET_ONLY = frozenset({"GET", "HEAD", "OPTIONS"})
GET_AND_POST = GET_ONLY | {"POST"}


@dataclass(frozen=True)
class Route:
    """What a path does, with which methods, and whether it works on a picture."""

    methods: frozenset[str]
    handler: Callable[[Call], Awaitable[StandInReply]]
    analyses: bool = True


class StandIn:
    """Answers for one service; `path` is served in addition to the usual ones."""

    def __init__(
        self, service: str, traits: Traits, pool: PredictionPool, downloads: Downloads, path: str = "/v3/analyze"
    ) -> None:
        self.service = service
        self.traits = traits
        self.healthy = True
        self.blind = False
        self.routes = self._routes(path)
        self._pool = pool
        self._downloads = downloads
        self._turn: AbstractAsyncContextManager[Any] = asyncio.Lock() if traits.one_at_a_time else nullcontext()

    def analyses(self, call: Call) -> bool:
        """Whether this call processes a picture; others are refused, or ask for health."""
        route = self.routes.get(call.path)
        return route is not None and route.analyses and call.method in route.methods

    async def reply(self, call: Call) -> StandInReply:
        """What the real service would reply, pages for unknown paths and methods included."""
        route = self.routes.get(call.path)
        if route is None:
            return replies.html_page(404)
        allow = {"Allow": ", ".join(sorted(route.methods))}
        if call.method not in route.methods:
            return replies.html_page(405, allow)
        if call.method == "OPTIONS":
            return StandInReply(200, b"", replies.HTML, allow)
        async with self._turn:
            return await route.handler(call)

    def failure(self, status: int, message: str, started: float | None = None) -> StandInReply:
        """The service's error envelope."""
        metadata = _timing(started)
        if self.traits.model_info_in_errors:
            metadata["model_info"] = self._pool.model_info(self.service)
        return replies.json_reply(status, replies.error(self.traits.reply_name, message, metadata))

    def crash(self) -> StandInReply:
        """The reply when a handler raises outside its error handling."""
        return replies.flask_handler_error() if self.traits.flask_error_handler else replies.html_page(500)

    def _routes(self, path: str) -> dict[str, Route]:
        routes = {p: Route(GET_AND_POST, self._analyze) for p in ANALYZE_PATHS | {path}}
        slashes = ("", "/") if self.traits.v2_trailing_slash else ("",)
        routes |= {p + slash: Route(GET_ONLY, self._analyze) for p in DEPRECATED for slash in slashes}
        routes[HEALTH_PATH] = Route(GET_ONLY, self._health, analyses=False)
        if self.traits.scores_captions:
            routes |= {p: Route(GET_AND_POST, self._score) for p in SCORE_PATHS}
        if self.traits.lists_classes:
            routes[CLASSES_PATH] = Route(GET_ONLY, self._classes, analyses=False)
        return routes

    async def _analyze(self, call: Call) -> StandInReply:
        started = time.perf_counter()
        try:
            return replies.json_reply(200, await self._analysis(call, started))
        except Refusal as refusal:
            return self.failure(refusal.status, refusal.message, started)

    async def _analysis(self, call: Call, started: float) -> dict[str, Any]:
        source = choose_source(call, self.traits)
        prompt = prompt_of(call) if self.traits.takes_prompt else {}
        regions = region_count(call.value("regions")) if self.traits.takes_regions else 1
        data = await self._load(source)
        with self._failures_as_refusals(source):
            answer = await self._pool.answer(self.service, data, regions)
        metadata = _timing(started) | {"model_info": self._model_info(answer.simulated) | prompt} | dict(answer.extras)
        predictions = nothing_found(self.service) if self.blind else answer.predictions
        return replies.success(self.traits.reply_name, predictions, metadata)

    async def _score(self, call: Call) -> StandInReply:
        started = time.perf_counter()
        try:
            caption, source = caption_of(call), scored_source(call, self.traits)
            data = await self._load(source)
            with self._failures_as_refusals(source):
                score, simulated = await self._pool.score(self.service, data, caption)
        except Refusal as refusal:
            body = replies.score_error(self.traits.reply_name, refusal.message, _timing(started))
            return replies.json_reply(refusal.status, body)
        kind = "url" if isinstance(source, FromUrl) else "file"
        metadata = _timing(started) | {"model_info": self._model_info(simulated) | {"model": FRAMEWORK}}
        return replies.json_reply(200, replies.score_success(self.traits.reply_name, score, caption, kind, metadata))

    def _model_info(self, simulated: bool) -> dict[str, Any]:
        return self._pool.model_info(self.service) | ({"simulated": True} if simulated else {})

    async def _health(self, _call: Call) -> StandInReply:
        framework = str(self._pool.model_info(self.service)["framework"])
        healthy = self.healthy and framework != NO_MODEL
        return health(self.service, healthy=healthy, now=datetime.now(UTC), framework=framework)

    async def _classes(self, _call: Call) -> StandInReply:
        try:
            names = self._pool.class_names(self.service)
        except NoModel as exc:
            return self.failure(503, str(exc))
        return replies.json_reply(
            200, {"service": self.traits.reply_name, "classes": names, "total_classes": len(names)}
        )

    async def _load(self, source: ImageReference) -> bytes:
        if isinstance(source, FromUpload):
            return source.data
        if isinstance(source, FromUrl):
            return await self._downloads.fetch(source.url, self.traits)
        return await asyncio.to_thread(read_file, source.path)

    @contextmanager
    def _failures_as_refusals(self, source: ImageReference) -> Iterator[None]:
        """Convert errors of the picture or the answer into the service's statuses."""
        try:
            yield
        except NotAnImage as exc:
            uploaded = isinstance(source, FromUpload)
            status = self.traits.undecodable if uploaded else self.traits.undecodable_on_disk
            raise Refusal(status, f"{self.traits.blames}: {exc}") from exc
        except BrokenImage as exc:
            raise Refusal(500, str(exc)) from exc
        except NoModel as exc:
            # Not the picture's fault: the status by which jobs wait for the service.
            raise Refusal(503, str(exc)) from exc
        except Exception as exc:
            # A model may fail in any way; to the client each is a 500 in the envelope.
            logger.exception("%s failed on a picture", self.service)
            raise Refusal(500, f"Internal error: {exc}") from exc


def _timing(started: float | None) -> dict[str, Any]:
    elapsed = 0.0 if started is None else time.perf_counter() - started
    return {"processing_time": round(elapsed, 3)}
