"""An engine that is the fleet of image services.

It never waits in a slot: what it has submitted is noted in the database, and its task is woken by the transaction that
writes the answers. Its pictures are artifacts, which every worker of the fleet reads by their digest.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from windmill.core.errors import WindmillError
from windmill.core.services import Fleet, load_fleet
from windmill.core.settings import Settings
from windmill.derive.calibration import load_calibration
from windmill.engines.cancelling import to_the_end, until_cancelled
from windmill.engines.engine import (
    EngineHealth,
    EngineKind,
    EngineOutput,
    EngineRequest,
    EngineResult,
    EngineWaits,
    JsonValue,
    OnProgress,
)
from windmill.engines.entries import FleetEntry
from windmill.engines.fleet.answers import FailureCount, ImageAnswers, chunks, image_document
from windmill.engines.fleet.session import FleetSession
from windmill.engines.fleet.submission import GivenPicture, Submission
from windmill.engines.outputs import gather, prepare
from windmill.kernels.boxes.box_calibration import BoxCalibration
from windmill.kernels.boxes.fusion import merge
from windmill.kernels.net.artifact_urls import artifact_digest
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

NAME = "answers.json"
FORMS = ("by_service", "merged")
PAGE = 200
"""Images whose answers are in memory at once."""


@dataclass(frozen=True)
class Asked:
    """Who is asked, and in which form the answers are wanted: those of `merged` services become boxes, if any."""

    services: tuple[str, ...]
    merged: tuple[str, ...]

    @staticmethod
    def of(parameters: Mapping[str, JsonValue], entry: FleetEntry, fleet: Fleet) -> "Asked":
        form = parameters.get("answer") or FORMS[0]
        if form not in FORMS:
            raise WindmillError("USAGE", f"answer is {form!r:.60}; it must be one of {', '.join(FORMS)}")
        named = parameters.get("services") or list(entry.services) or fleet.feeding("merge")
        services = tuple(service.name for service in fleet.select(_names(named)))
        merged = tuple(one for one in services if one in fleet.feeding("merge")) if form == "merged" else ()
        if form == "merged" and not merged:
            raise WindmillError("USAGE", f"the boxes of {', '.join(services)} are not merged", "name detectors")
        return Asked(services, merged)


class FleetEngine:
    """Has services look at pictures."""

    kind: EngineKind = "fleet"

    def __init__(self, name: str, entry: FleetEntry, settings: Settings) -> None:
        self.name = name
        self._entry, self._settings = entry, settings
        self._session = FleetSession(settings, f"windmill engine {name}")
        self._calibration: BoxCalibration | None = None

    async def check(self) -> EngineHealth:
        """Whether database and broker answer, and which services a worker serves."""
        services = list(load_fleet(self._settings.service_config).services)
        try:
            async with transaction(await self._session.pool(), self._settings) as connection:
                rows = await connection.fetch(queries()["list_served_services"], services)
            await self._session.ping()
        except WindmillError as error:
            return EngineHealth(False, error.message)
        served = sorted(row["service"] for row in rows)
        return EngineHealth(True, f"{len(served)} of {len(services)} services have workers", {"served": served})

    async def run(self, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event) -> EngineResult:
        return await until_cancelled(self._run(request, on_progress), cancelled)

    async def close(self) -> None:
        await self._session.close()

    async def _run(self, request: EngineRequest, on_progress: OnProgress) -> EngineResult:
        if request.task is None:
            raise WindmillError("USAGE", f"the engine {self.name} works for tasks of jobs only")
        asked = Asked.of(request.parameters, self._entry, load_fleet(self._settings.service_config))
        pool = await self._session.pool()
        submission = Submission(pool, self._settings, self._entry, request.task, asked.services)
        state = request.resumed or await self._begin(submission, request, on_progress)
        names, ids = _names_and_ids(state)
        depths = await self._session.urgent_depths(asked.services)
        turn = asyncio.ensure_future(self._turn(submission, ids, depths, on_progress))
        waits = await to_the_end(turn)  # what is written down as sent has to be sent
        if waits:
            return EngineWaits(state, *waits)
        count = await self._write(request, asked, names, ids)
        if failure := count.failure:
            await submission.forget()  # the next try asks again
            raise failure
        files = await asyncio.to_thread(gather, request.out, request)
        on_progress(1.0)
        facts: dict[str, JsonValue] = {
            "engine": self.name,
            "kind": self.kind,
            "images": len(ids),
            "answers": count.answered,
        }
        return EngineOutput(files, {**facts, "failed": count.by_service}, count.warnings)

    async def _begin(
        self, submission: Submission, request: EngineRequest, on_progress: OnProgress
    ) -> Mapping[str, JsonValue]:
        if not request.inputs:
            raise WindmillError("USAGE", f"the engine {self.name} needs a picture at least")
        on_progress(0.0)
        pictures = await asyncio.to_thread(_pictures, request.inputs)
        ids = await submission.register(pictures, request.group or request.name)
        return {"names": [one.name for one in pictures], "images": ids}

    async def _turn(
        self, submission: Submission, ids: Sequence[int], depths: Mapping[str, int], on_progress: OnProgress
    ) -> tuple[float, float] | None:
        """Settle and submit; for how long to wait, and what is done. None if all is settled."""
        turn = await submission.next_round(ids, depths)
        unsent = await self._session.publish(turn.jobs) if turn.jobs else []
        if unsent:
            await submission.note_unsent(unsent)
            raise WindmillError("BROKER_UNAVAILABLE", f"{len(unsent)} images could not be submitted")
        done = turn.settled / len(ids)
        on_progress(done)
        return None if turn.over else (turn.look_seconds, done)

    async def _write(
        self, request: EngineRequest, asked: Asked, names: Sequence[str], ids: Sequence[int]
    ) -> FailureCount:
        """Write the document, a page at a time; how many answers there are."""
        await asyncio.to_thread(prepare, request)
        count, target = FailureCount(), request.out / NAME
        with target.open("wb") as file:
            file.write(b'{"services": %b, "images": [' % orjson.dumps(asked.services))
            for part in chunks(len(ids), PAGE):
                page = await self._read(request, asked, names[part], ids[part])
                for image in page:
                    count.note(image)
                written = await asyncio.to_thread(self._render, page, asked)
                file.write((b",\n" if part.start else b"") + written)
            file.write(b'], "failed": %b}\n' % orjson.dumps(count.by_service))
        return count

    async def _read(
        self, request: EngineRequest, asked: Asked, names: Sequence[str], ids: Sequence[int]
    ) -> list[ImageAnswers]:
        assert request.task
        async with transaction(await self._session.pool(), self._settings) as connection:
            rows = await connection.fetch(queries()["read_fleet_images"], list(ids))
            known = {row["image_id"]: row for row in rows}
            answers = await connection.fetch(
                queries()["read_fleet_answers"], list(ids), list(asked.services), *request.task
            )
        images = [_image(name, known[image_id]) for name, image_id in zip(names, ids, strict=True)]
        by_id: dict[int, list[Any]] = {}
        for row in answers:
            by_id.setdefault(row["image_id"], []).append(row)
        for image in images:
            for row in by_id.get(image.image_id, ()):
                image.add(row)
            image.complete(asked.services, self._entry.timeout_seconds)
        return images

    def _render(self, images: Sequence[ImageAnswers], asked: Asked) -> bytes:
        documents = [image_document(one, self._boxes(one, asked.merged), asked.merged) for one in images]
        return b",\n".join(map(orjson.dumps, documents))

    def _boxes(self, image: ImageAnswers, merged: Sequence[str]) -> list[dict[str, object]] | None:
        if not merged:
            return None
        if self._calibration is None:
            self._calibration = load_calibration(self._settings.calibration).boxes
        predictions = {name: image.replies[name].get("predictions") for name in merged if name in image.replies}
        boxes = merge(predictions, self._calibration, image.size).boxes if predictions else []
        return [box.as_data() for box in boxes if not box.rival_of]


def _names_and_ids(state: Mapping[str, JsonValue]) -> tuple[list[str], list[int]]:
    names, ids = state["names"], state["images"]
    assert isinstance(names, list)
    assert isinstance(ids, list)
    return names, ids


def _names(value: JsonValue) -> list[str]:
    """A list of names, or a text with commas between them."""
    if isinstance(value, str):
        return value.split(",")
    if isinstance(value, Mapping) or not isinstance(value, Sequence):
        raise WindmillError("USAGE", f"services is {value!r:.60}; it must be a list of names, or text")
    return [str(one) for one in value]


def _pictures(inputs: Mapping[str, Path]) -> list[GivenPicture]:
    """Their digests are those by which the store has them."""
    return [GivenPicture.of(name, path, _digest(path)) for name, path in inputs.items()]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _image(name: str, row: Any) -> ImageAnswers:  # noqa: ANN401 - a record of the driver
    size = (row["width"], row["height"]) if row["width"] and row["height"] else None
    return ImageAnswers(name, row["image_id"], artifact_digest(row["image_url"]), size)
