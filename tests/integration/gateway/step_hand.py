"""Does the work of a worker by hand: each task of a job succeeds, and leaves one picture."""

import io
from pathlib import Path

from PIL import Image

from tests.integration.gateway_scene import GatewayScene
from tests.job_scene import JobScene
from windmill.jobs.outcomes import TaskSucceeded
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.storage.artifacts.folder import FolderStore
from windmill.storage.jobs.rows import StoredArtifact

OUTPUT = {"engine": "default", "video": {}, "segments": [{"file": "a"}], "done": {}}
"""Of any step: what those on videos plan from is there."""


def picture(width: int = 640, height: int = 400, colour: str = "navy") -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(target, "PNG")
    return target.getvalue()


async def work_off(scene: GatewayScene, *steps: str) -> None:
    """Claim and end a task of each of these steps, in order."""
    access = scene.jobs.access
    hand = JobScene(access.pool, access.settings, scene.jobs.rows, STEPS)
    for number, step in enumerate(steps):
        path = scene.fleet.folder / "made.png"
        path.write_bytes(picture(colour=f"#0000{number:02x}"))
        made = await _stored(scene, path)
        await hand.end(await hand.claimed(step), TaskSucceeded(OUTPUT, [made]))


async def _stored(scene: GatewayScene, path: Path) -> StoredArtifact:
    blob = await FolderStore(scene.store).put(path, "image/png")
    return StoredArtifact("picture.png", blob.media_type, blob.size, blob.sha256, blob.key)
