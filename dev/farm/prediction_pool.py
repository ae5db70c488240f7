"""Processing pictures on a small thread pool, so that the event loop stays free."""

import asyncio
import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from dev.farm import answers
from dev.farm.contract import SHINY_CHANCE
from dev.farm.pictures import Picture, open_picture
from dev.farm.regions import palette_by_regions

Result = TypeVar("Result")
PredictionDocument = dict[str, Any]


class NoModel(Exception):
    """There is no model that could answer for this service, and no answer is made up."""


@dataclass(frozen=True)
class PictureAnswer:
    """The predictions for one picture, whether they are simulated, and extra metadata for the reply."""

    predictions: list[PredictionDocument]
    simulated: bool
    extras: Mapping[str, Any] = field(default_factory=dict)


class AnswerSource(Protocol):
    """What predicts for pictures: the module `dev.farm.answers`, or real models. `predictions` and
    `class_names` may raise NoModel."""

    def predictions(self, service: str, picture: Picture, seed: int, /) -> list[PredictionDocument]: ...
    def is_simulated(self, service: str, picture: Picture, /) -> bool: ...
    def model_info(self, service: str, /) -> Mapping[str, Any]: ...
    def class_names(self, service: str, /) -> Sequence[str]: ...


class PredictionPool:
    """Answers for pictures, off the event loop. Close it when done."""

    def __init__(self, seed: int, knowledge: AnswerSource = answers, threads: int = 2) -> None:
        self._seed = seed
        self._knowledge = knowledge
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="farm-picture")

    def model_info(self, service: str) -> dict[str, Any]:
        """What answers for a service: its `framework`, and what else there is to say of it."""
        return dict(self._knowledge.model_info(service))

    def class_names(self, service: str) -> list[str]:
        """The labels that the service can name."""
        return list(self._knowledge.class_names(service))

    async def answer(self, service: str, data: bytes, regions: int = 1) -> PictureAnswer:
        """The service's answer; raises NotAnImage or BrokenImage."""
        if regions > 1:
            return await self._off_loop(lambda: self._answer_by_regions(service, data, regions))
        return await self._off_loop(lambda: self._answer(service, data))

    async def score(self, service: str, data: bytes, caption: str) -> tuple[float, bool]:
        """How well a caption fits the picture, as CLIP similarity, and whether that is simulated."""
        answer = await self.answer(service, data)
        return similarity(caption, answer.predictions, self._seed), answer.simulated

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def _off_loop(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _answer(self, service: str, data: bytes) -> PictureAnswer:
        picture = open_picture(data)
        predictions = self._knowledge.predictions(service, picture, self._seed)
        dice = random.Random(f"{self._seed}:{service}:{picture.identity}")
        return PictureAnswer(with_shiny(predictions, dice), self._knowledge.is_simulated(service, picture))

    def _answer_by_regions(self, service: str, data: bytes, regions: int) -> PictureAnswer:
        whole = self._answer(service, data)
        colors = palette_by_regions(data, regions, lambda tile: self._answer(service, tile).predictions)
        palette = whole.predictions[0]["palette"] | {"colors": colors}
        extras = {"regions_analyzed": regions, "unique_colors_found": len(colors)}
        return PictureAnswer([whole.predictions[0] | {"palette": palette}], whole.simulated, extras)


def with_shiny(predictions: list[PredictionDocument], dice: random.Random) -> list[PredictionDocument]:
    """The predictions, one in 2,500 marked shiny; the key is absent from all others."""
    return [p | {"shiny": True} if dice.random() < SHINY_CHANCE else p for p in predictions]


def similarity(caption: str, predictions: list[PredictionDocument], seed: int) -> float:
    """About 0.16 for a caption that matches no prediction, up to 0.3 for one that matches many."""
    words = set(re.findall(r"[a-z]+", caption.lower()))
    labels = [set(re.findall(r"[a-z]+", str(p.get("label", "")))) for p in predictions]
    named = sum(1 for label in labels if label & words)
    noise = random.Random(f"{seed}:{caption}").uniform(-0.02, 0.02)
    return round(0.16 + 0.14 * (1 - math.exp(-named)) + noise, 3)
