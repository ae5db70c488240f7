"""A box enricher with services that answer as a test says."""

import asyncio
import contextlib
import io
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from PIL import Image

from postprocessors.box_calls import EnrichmentResult, PendingBox
from postprocessors.box_enricher import Enricher
from tests.fake_canary_table import FakeCanaryTable
from tests.fake_slot_table import FakeSlotTable
from tests.unit.imaging import NOON
from tests.unit.loopback import Site, reply, serving
from tests.unit.world import Clock
from tests.waiting import at_work, until
from windmill.calling.canaries import image_for_probes
from windmill.calling.service_client import ServiceClient
from windmill.core.errors import Code, Retry, WindmillError
from windmill.core.messages import Job
from windmill.core.services import Service, load_fleet
from windmill.core.settings import ROOT, Settings
from windmill.media.image.change import KnownImage
from windmill.media.image.crops import Crop, cut_crops

SETTINGS = Settings.from_env(
    {"CANARY_SECONDS": "0", "MAX_RETRIES": "3", "RETRY_DELAYS": "5,10,20", "WORKER_CONCURRENCY": "8"}
)
FLEET = load_fleet(ROOT / "service_config.json").services
JOB = Job(17, "17.png", "17.png", None, NOON)
PERSON = {"label": "person", "merged_bbox": {"x": 20, "y": 10, "width": 40, "height": 60}}
DOG = {"label": "dog", "merged_bbox": {"x": 0, "y": 0, "width": 30, "height": 30}}
ALL = ("colors", "face", "pose")
PREDICTIONS: dict[str, list[dict[str, Any]]] = {
    "colors": [{"primary": {"hex": "#c81e28"}, "palette": {"colors": []}}],
    "face": [{"label": "face", "bbox": [1, 2, 3, 4], "keypoints": {"nose_tip": [5, 6]}}],
    "pose": [{"landmarks": {"nose": {"x": 0.5, "y": 0.5, "visibility": 0.9}}}],
}


def picture(width: int = 100, height: int = 80) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((width, height), 50).convert("RGB").save(file, "PNG")
    return file.getvalue()


def answering(predictions: object) -> bytes:
    envelope = {"status": "success", "predictions": predictions, "metadata": {"processing_time": 0.25}}
    return reply(orjson.dumps(envelope))


HANGS_UP = b""
SAYS_500 = reply(b'{"status": "error", "error": {"message": "boom"}}', "500 Internal Server Error")


@dataclass
class Counting:
    """Cuts crops in this process, and counts how often an image was decoded."""

    most_bytes: int = 10_000_000
    decoded: int = 0

    async def crop(self, image: bytes, boxes: Sequence[object]) -> list[Crop | None]:
        self.decoded += 1
        return cut_crops(image, boxes, max_pixels=10_000_000, max_bytes=self.most_bytes)


class Watched(Clock):
    """Knows how often it was looked at."""

    looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return super().__call__()


@dataclass
class World:
    """Three services behind one server, an image, and an enricher. `says` is what each answers to a crop, in turn
    and the last for ever; `of_canary` what it answers to our own picture."""

    enricher: Enricher = field(init=False)
    site: Site = field(init=False)
    clock: Watched = field(default_factory=Watched)
    crops: Counting = field(default_factory=Counting)
    image: bytes = field(default_factory=picture)
    read_error: WindmillError | None = None
    reads: int = 0
    says: dict[str, list[bytes]] = field(default_factory=dict)
    of_canary: dict[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    canaries: Counter[str] = field(default_factory=Counter)
    sizes: list[tuple[str, tuple[int, int]]] = field(default_factory=list)
    under_way: Counter[str] = field(default_factory=Counter)
    most_under_way: Counter[str] = field(default_factory=Counter)

    async def read(self, job: Job) -> bytes:
        self.reads += 1
        if self.read_error:
            raise self.read_error
        return self.image

    async def answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        name, request = path[1:], self.site.requests[-1]
        self.under_way[name] += 1
        self.most_under_way[name] = max(self.most_under_way[name], self.under_way[name])
        try:
            if self.seconds:
                await at_work(self.seconds)
            writer.write(self._said(name, request))
            await writer.drain()
        finally:
            self.under_way[name] -= 1

    def _said(self, name: str, request: bytes) -> bytes:
        if image_for_probes(FLEET[name]) in request:
            self.canaries[name] += 1
            return self.of_canary.get(name, answering(PREDICTIONS[name]))
        self.calls[name] += 1
        self.sizes.append((name, sent_size(request)))
        says = self.says.get(name, [answering(PREDICTIONS[name])])
        return says.pop(0) if len(says) > 1 else says[0]

    def service(self, name: str) -> Service:
        return replace(FLEET[name], host="127.0.0.1", port=self.site.port, path=f"/{name}")

    async def show(self, *boxes: PendingBox, known: KnownImage | None = None) -> EnrichmentResult:
        async with asyncio.timeout(60):
            return await self.enricher.enrich(JOB, boxes, known or KnownImage())

    async def later(self, seconds: float, then: Callable[[], object]) -> None:
        """Let time pass, and wait for what the next probe of the services brings about."""
        self.clock.now += seconds
        await until(then, 5)


def sent_size(request: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(request[request.index(b"\xff\xd8") :])) as image:
        assert image.format == "JPEG"
        return image.size


@contextlib.asynccontextmanager
async def world_of(change: Callable[[Service], Service] = lambda one: one, **given: Any) -> AsyncIterator[World]:  # noqa: ANN401
    world = World(**given)
    async with serving(world.answer) as world.site, ServiceClient(SETTINGS) as client:
        services = [change(world.service(name)) for name in ALL] + [FLEET["yolov8"]]
        world.enricher = Enricher(
            services,
            SETTINGS,
            world.read,
            client,
            FakeSlotTable(world.clock),
            FakeCanaryTable(),
            world.crops,
            clock=world.clock,
            probe_seconds=0.005,
        )
        async with world.enricher:
            yield world


def box(data: object = PERSON, key: str = "one", tries: Mapping[str, int] | None = None) -> PendingBox:
    return PendingBox(key, data, dict.fromkeys(ALL, 0) if tries is None else tries)


def failing(code: Code, retry: Retry | None = None) -> WindmillError:
    return WindmillError(code, "because", retry=retry)


def trip(world: World, *services: str) -> None:
    for service in services:
        world.enricher.states[service].breaker.trip(failing("SERVICE_UNREACHABLE"))


def codes(enriched: EnrichmentResult) -> dict[str, str | None]:
    return {row.service: row.error_code for row in enriched.rows}
