"""Post-processors as processes, and what is made ready for them."""

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from PIL import Image

from tests.integration.fleet import Command, Fleet
from tests.waiting import until

READY = " post-processing "
SAVE = """
INSERT INTO results (image_id, service, status, data, processing_time) VALUES ($1, $2, 'success', $3, 0.1)
ON CONFLICT (image_id, service) DO UPDATE SET result_id = nextval('result_ids'), data = excluded.data
"""


async def started(fleet: Fleet, module: str = "all", **variables: str) -> Command:
    command = fleet.start(f"postprocessors.{module}", **variables)
    await command.says(READY)
    return command


def box(number: int, label: str = "dog", confidence: float = 0.9) -> dict[str, Any]:
    """Boxes that lie apart, in a row."""
    place = {"x": 10 + 60 * number, "y": 20, "width": 50, "height": 100}
    return {"label": label, "confidence": confidence, "bbox": place, "emoji": "🐶" if label == "dog" else "🧑"}


async def says(fleet: Fleet, image_id: int, service: str, predictions: Sequence[dict[str, Any]]) -> None:
    """A service's answer, committed."""
    document = {"service": service, "status": "success", "predictions": list(predictions), "metadata": {}}
    await fleet.rows.execute(SAVE, image_id, service, json.dumps(document))


async def fresh(fleet: Fleet, seconds: float = 30) -> None:
    """Return once nothing is stale."""

    async def none() -> bool:
        return not await fleet.rows.fetchval("SELECT count(*) FROM stale")

    await until(none, seconds, lambda: f"nothing stale\n{fleet.logs()}")


async def picture(fleet: Fleet, width: int = 700) -> int:
    """An image that is a file; its content does not matter to who looks at crops."""
    file = BytesIO()
    Image.new("RGB", (width, 200), (120, 60, 20)).save(file, "JPEG")
    return (await fleet.register_pictures(1, file.getvalue()))[0]
