"""Pictures that a hosted detector looks at, one request each: what it says of all of them is one document, in the form
in which the fleet answers."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from windmill.core.errors import ERROR_CODES, WindmillError
from windmill.engines.engine import EngineRequest, OnProgress
from windmill.engines.http.predicted_boxes import boxes_of
from windmill.engines.outputs import prepare

MERGED = "merged"
"""What a request wants as its `answer`: the boxes of each of its pictures."""
ANSWER_FILE, ANSWERS_FILE = "answer.json", "answers.json"
_TRIES = 2
Ask = Callable[[EngineRequest], Awaitable[None]]
"""Asks for one picture; the answer is in the folder of outputs afterwards."""


def wants_boxes_of_each(request: EngineRequest) -> bool:
    return request.parameters.get("answer") == MERGED


async def look_at_each(name: str, request: EngineRequest, ask: Ask, on_progress: OnProgress) -> None:
    """Write down what the detector says. A picture that it cannot look at is told with the reason; raises that where it
    is away, or where it could not look at any."""
    images = []
    for number, (picture, path) in enumerate(request.inputs.items()):
        own = EngineRequest(request.name, {"input": path}, {}, request.scratch / "pictures" / str(number))
        images.append(await _looked_at(name, picture, own, ask))
        on_progress((number + 1) / len(request.inputs))
    failures = [one["failures"][name] for one in images if one["failures"]]
    if failures and len(failures) == len(images):
        worst = next(one for one in failures if one["code"] == _worst(failures))
        raise WindmillError(worst["code"], f"{name} could look at none of {len(images)} pictures: {worst['message']}")
    document = {"services": [name], "images": images, "failed": Counter(one["code"] for one in failures)}
    await asyncio.to_thread((request.out / ANSWERS_FILE).write_bytes, orjson.dumps(document))


def _worst(failures: list[Mapping[str, Any]]) -> str:
    return str(Counter(one["code"] for one in failures).most_common(1)[0][0])


async def _looked_at(name: str, picture: str, request: EngineRequest, ask: Ask) -> Mapping[str, Any]:
    path = request.inputs["input"]
    width, height = await asyncio.to_thread(_size, path)
    told = {"name": picture, "image_id": None, "width": width, "height": height}
    try:
        answer = await _asked(request, ask)
        return {**told, "boxes": boxes_of(answer["predictions"], name), "failures": {}}
    except WindmillError as error:
        if error.retry == "pause" or ERROR_CODES[error.code].culprit == "operator":
            raise
        return {**told, "boxes": [], "failures": {name: {"code": error.code, "message": error.message}}}


async def _asked(request: EngineRequest, ask: Ask) -> Mapping[str, Any]:
    """Once more if a second try may help."""
    for tried in range(1, _TRIES + 1):
        once = replace(request, scratch=request.scratch / str(tried))
        await asyncio.to_thread(prepare, once)
        try:
            await ask(once)
            document: Mapping[str, Any] = orjson.loads(await asyncio.to_thread((once.out / ANSWER_FILE).read_bytes))
            return document
        except WindmillError as error:
            if error.retry != "later" or tried == _TRIES:
                raise
    raise AssertionError("it was tried")


def _size(path: Path) -> tuple[int, int]:
    from PIL import Image

    with Image.open(path) as picture:
        return picture.size
