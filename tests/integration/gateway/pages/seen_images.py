"""Images that services have looked at: pictures on the disk, answers, and what is derived of them."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from PIL import Image, ImageDraw

from postprocessors import bbox_merger, consensus, image_index
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.core.stages import STAGES
from windmill.storage import database

SIZE = (960, 640)
STAND_IN = {"model_info": {"framework": "windmill-farm"}}
DOG, PERSON, BENCH = (170, 400, 150, 140), (310, 160, 130, 390), (450, 370, 290, 160)


def draw(path: Path, coat: str) -> None:
    """A person with a dog beside a bench."""
    image = Image.new("RGB", SIZE, "#d3e5ee")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 330, *SIZE), fill="#8fb088")
    pen.ellipse((800, 40, 880, 120), fill="#f7efd2")
    for top in (380, 410, 440):
        pen.rectangle((455, top, 735, top + 18), fill="#9a6a3f")
    pen.rectangle((475, 460, 487, 528), fill="#3d3f45")
    pen.rectangle((700, 460, 712, 528), fill="#3d3f45")
    pen.rectangle((345, 240, 410, 400), fill=coat)
    pen.rectangle((350, 400, 372, 545), fill="#37465c")
    pen.rectangle((384, 400, 406, 545), fill="#37465c")
    pen.ellipse((346, 165, 410, 240), fill="#e9bf9c")
    pen.ellipse((185, 440, 300, 505), fill="#c08a4e")
    pen.ellipse((265, 405, 318, 458), fill="#c99558")
    for left in (200, 225, 265, 285):
        pen.rectangle((left, 490, left + 12, 538), fill="#c08a4e")
    image.save(path)


def _box(label: str, emoji: str, confidence: float, place: tuple[int, int, int, int], shift: int = 0) -> dict[str, Any]:
    x, y, width, height = place
    bbox = {"x": x + shift, "y": y - shift, "width": width, "height": height + shift}
    return {"label": label, "emoji": emoji, "confidence": confidence, "bbox": bbox}


def answers(doubt: float = 0.0) -> dict[str, list[dict[str, Any]]]:
    """What services say; with doubt, only one detector sees the dog, and not well."""
    dog = [] if doubt else [_box("dog", "🐕", 0.9, DOG, 3)]
    animal = [] if doubt else [{"label": "dog", "emoji": "🐕", "confidence": 0.7}]
    return {
        "yolov8": [
            _box("person", "🧑", 0.94, PERSON),
            _box("dog", "🐕", 0.88 - doubt, DOG),
            _box("bench", "🪑", 0.66, BENCH),
        ],
        "rtdetr": [_box("person", "🧑", 0.91, PERSON, 4), *dog, _box("couch", "🛋️", 0.3, BENCH, 2)],
        "detectron2": [_box("person", "🧑", 0.97, PERSON, 2), *dog, _box("bench", "🪑", 0.81, BENCH, 2)],
        "clip": [*animal, {"label": "person", "emoji": "🧑", "confidence": 0.6}],
        "blip": [{"text": "a walk", "emoji_mappings": [{"word": "dog", "emoji": "🐕"}] if animal else []}],
        "face": [{"label": "face", "emoji": "🙂", "confidence": 0.97, "bbox": [346, 165, 64, 75]}],
        "colors": [{"primary": {"copic": "Red (R29)", "hex": "#b8432f"}, "palette": {"colors": [
            {"copic": "Red (R29)", "hex": "#b8432f"}, {"copic": "Tan (E35)", "hex": "#c08a4e"}]}}],
    }  # fmt: skip


@dataclass(frozen=True)
class SeenImages:
    """Services are of one mind on all but the second, of which stand-ins spoke; the third waits for all."""

    sure: int
    doubtful: int
    waiting: int


async def fill_images(rows: asyncpg.Connection, settings: Settings, root: Path) -> SeenImages:
    """Three images in the group park."""
    ids = []
    for number, coat in ((1, "#b8432f"), (2, "#37465c"), (3, "#2c6b24")):
        draw(root / f"park-{number}.png", coat)
        ids.append(
            await rows.fetchval(
                "INSERT INTO images (image_filename, image_path, image_group, width, height)"
                " VALUES ($1, $2, 'park', $3, $4) RETURNING image_id",
                *(f"park-{number}.png", str(root / f"park-{number}.png"), *SIZE),
            )
        )
    seen = SeenImages(*ids)
    await rows.execute(
        "INSERT INTO runs (services, selection, first_image_id, until_image_id, last_image_id)"
        " VALUES ('{clip,ocr,ollama,yolov8}', 'new', $1, $2, $2)",
        *(seen.sure - 1, seen.waiting),
    )
    await _answer(rows, seen.sure, answers(), {"metadata": {}})
    await _answer(rows, seen.doubtful, answers(0.5), {"metadata": STAND_IN})
    await derive(rows, settings, [seen.sure, seen.doubtful])
    await enrich(rows, seen.sure)
    return seen


async def _answer(
    rows: asyncpg.Connection, image_id: int, said: dict[str, list[dict[str, Any]]], more: dict[str, Any]
) -> None:
    for service, predictions in said.items():
        await rows.execute(
            "INSERT INTO results (image_id, service, status, data, processing_time)"
            " VALUES ($1, $2, 'success', $3, 0.25)",
            *(image_id, service, json.dumps({"service": service, "predictions": predictions, **more})),
        )
    await rows.execute(
        "INSERT INTO results (image_id, service, status, error_code, error_message)"
        " VALUES ($1, 'ocr', 'error', 'IMAGE_TOO_LARGE', 'it has 9 MB')",
        image_id,
    )


async def derive(rows: asyncpg.Connection, settings: Settings, image_ids: Sequence[int]) -> None:
    """Merge, vote and index, as post-processors do."""
    fleet = load_fleet(settings.service_config)
    await rows.execute("INSERT INTO stages (stage) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", list(STAGES))
    for service in fleet.services.values():
        for stage in service.feeds:
            await rows.execute(
                "INSERT INTO feeds (stage, service) VALUES ($1, $2) ON CONFLICT DO NOTHING", stage, service.name
            )
    await rows.execute(
        "INSERT INTO stale (stage, image_id, deferred) SELECT stage, image_id, true"
        " FROM unnest($1::bigint[]) AS image_id"
        " CROSS JOIN (VALUES ('merge'), ('consensus'), ('index')) AS s (stage)",
        list(image_ids),
    )
    async with database.pool(settings, "test", max_size=2) as pool:
        for module in (bbox_merger, consensus, image_index):
            await module.make_runner(pool, settings, fleet).run_round(asyncio.Event())
    await rows.execute("DELETE FROM stale")


async def enrich(rows: asyncpg.Connection, image_id: int) -> None:
    """Colours of all crops, and the face of the person."""
    for service, label in (("colors", "%"), ("face", "person")):
        await rows.execute(
            "INSERT INTO postprocessing (image_id, box_key, service, status, data)"
            " SELECT image_id, box_key, $1, 'success', $2 FROM merged_boxes"
            " WHERE image_id = $3 AND merged_data ->> 'label' LIKE $4",
            *(service, json.dumps({"predictions": answers()[service]}), image_id, label),
        )
    await rows.execute("DELETE FROM stale")
