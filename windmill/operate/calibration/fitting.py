"""Fitting constants to labelled images: one half of them to fit, the other half to test."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import orjson

from windmill.core.errors import WindmillError
from windmill.core.services import Fleet
from windmill.derive.calibration import Calibration
from windmill.kernels.boxes import box_fitting
from windmill.kernels.boxes.fusion import merge
from windmill.kernels.boxes.sent_scale import read_sent_scale, scale_reply
from windmill.kernels.text.labels import normalise_label
from windmill.kernels.votes import vote_fitting
from windmill.kernels.votes.vote_design import VoteExample as VoteExample
from windmill.operate.calibration.annotations import Truth
from windmill.storage.database import Connection
from windmill.storage.queries import queries

FEWEST = 20
"""With fewer images, one half says nothing about the other half."""
PAGE_IMAGES = 500

ExampleT = TypeVar("ExampleT")
ConstantsT = TypeVar("ConstantsT")
FittingScores = dict[str, float]


@dataclass(frozen=True)
class LabelledImage:
    """An image with the replies of its services and the true boxes and labels."""

    replies: Mapping[str, Mapping[str, Any]]
    truth: Truth


@dataclass(frozen=True)
class CalibrationReport:
    """Scores of one part of the calibration, on images that were not fitted on."""

    part: str
    images: int
    before: FittingScores
    after: FittingScores


@dataclass(frozen=True)
class PartServices:
    """Which services feed which part of the calibration."""

    merging: frozenset[str]
    voting: frozenset[str]


def fit_calibration(
    images: Sequence[LabelledImage], services: PartServices, start: Calibration
) -> tuple[Calibration, list[CalibrationReport]]:
    """The constants that fit all images, and the scores of constants fitted on one half of them on the other half."""
    boxes, box_report = _fit_part(
        "boxes", box_examples(images, services), start.boxes, box_fitting.fit, box_fitting.score
    )
    merged = replace(start, boxes=boxes)
    votes, vote_report = _fit_part(
        "votes", vote_examples(images, services, merged), start.votes, vote_fitting.fit, vote_fitting.score
    )
    return replace(merged, votes=votes), [box_report, vote_report]


async def find_labelled_images(
    connection: Connection, truths: Mapping[str, Truth], group: str | None
) -> list[LabelledImage]:
    """The images that are both labelled and answered, in the order of their ids."""
    sql = queries()
    rows = await connection.fetch(sql["find_images_by_filename"], list(truths), group)
    names = Counter(row["image_filename"] for row in rows)
    for name, count in names.items():
        if count > 1:
            raise WindmillError("USAGE", f"{count} images are called {name}", "say which are meant: --group")
    found = []
    for start in range(0, len(rows), PAGE_IMAGES):
        page = {row["image_id"]: row["image_filename"] for row in rows[start : start + PAGE_IMAGES]}
        replies = await read_replies(connection, list(page))
        found += [LabelledImage(replies[one], truths[name]) for one, name in page.items() if one in replies]
    return found


async def read_replies(connection: Connection, image_ids: Sequence[int]) -> dict[int, dict[str, dict[str, Any]]]:
    """The successful replies for each image that has any, in pixels of the image itself."""
    replies: dict[int, dict[str, dict[str, Any]]] = {}
    for row in await connection.fetch(queries()["read_replies"], list(image_ids)):
        replies.setdefault(row["image_id"], {})[row["service"]] = scale_reply(
            _object(row["data"]), read_sent_scale(_object(row["image_sent"]))
        )
    return replies


def services_by_part(fleet: Fleet) -> PartServices:
    return PartServices(frozenset(fleet.feeding("merge")), frozenset(fleet.feeding("consensus")))


def _fit_part(
    part: str,
    examples: Sequence[ExampleT],
    start: ConstantsT,
    fit: Callable[[Sequence[ExampleT], ConstantsT], ConstantsT],
    score: Callable[[Sequence[ExampleT], ConstantsT], FittingScores],
) -> tuple[ConstantsT, CalibrationReport]:
    """Every second image is a test image: neighbours in a folder are often alike."""
    training, test = examples[::2], examples[1::2]
    report = CalibrationReport(part, len(test), score(test, start), score(test, fit(training, start)))
    return fit(examples, start), report


def box_examples(images: Iterable[LabelledImage], services: PartServices) -> list[box_fitting.BoxExample]:
    """The images in which any detector found something."""
    return [
        box_fitting.BoxExample(_predictions(one, services), one.truth.boxes, one.truth.labels, one.truth.size)
        for one in images
        if _predictions(one, services)
    ]


def vote_examples(
    images: Sequence[LabelledImage], services: PartServices, calibration: Calibration
) -> list[VoteExample]:
    """The images, each with the emojis of its true labels and with its boxes as they would be merged."""
    emojis = emojis_of_labels(images) | dict(calibration.votes.labels)
    return [
        VoteExample(
            answers={service: reply for service, reply in one.replies.items() if service in services.voting},
            truth=frozenset(emojis[label] for label in map(normalise_label, one.truth.labels) if label in emojis),
            boxes=[
                box.as_data() for box in merge(_predictions(one, services), calibration.boxes, one.truth.size).boxes
            ],
        )
        for one in images
    ]


def emojis_of_labels(images: Iterable[LabelledImage]) -> dict[str, str]:
    """The emoji that services give most often with each label."""
    seen: dict[str, dict[str, int]] = {}
    for one in images:
        for reply in one.replies.values():
            for prediction in _list(reply.get("predictions")):
                label, emoji = prediction.get("label"), prediction.get("emoji")
                if isinstance(label, str) and isinstance(emoji, str) and emoji:
                    counts = seen.setdefault(normalise_label(label), {})
                    counts[emoji] = counts.get(emoji, 0) + 1
    return {label: min(counts, key=lambda emoji: (-counts[emoji], emoji)) for label, counts in seen.items()}


def _predictions(image: LabelledImage, services: PartServices) -> dict[str, object]:
    return predictions_for_merging(image.replies, services)


def predictions_for_merging(replies: Mapping[str, Mapping[str, Any]], services: PartServices) -> dict[str, object]:
    """What the detectors said."""
    return {name: reply.get("predictions") for name, reply in replies.items() if name in services.merging}


def _list(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _object(text: str | None) -> dict[str, Any]:
    document = orjson.loads(text or "{}")
    return document if isinstance(document, dict) else {}
