"""Videos over HTTP while they are made: asked for by a preset, and watched segment by segment."""

from pathlib import Path

import pytest

from tests.integration.gateway_scene import GatewayScene, problem
from tests.job_scene import JobScene
from windmill.jobs.outcomes import TaskSucceeded
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.pipelines.video.plan_documents import EncodedSegment, PlannedSegment, PlannedVideo
from windmill.storage.artifacts.folder import FolderStore
from windmill.storage.jobs.rows import StoredArtifact

pytestmark = pytest.mark.database

CLIP = b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 100
VIDEO = PlannedVideo(320, 180, 500, 20_000, 1_000, "25", True, "0", "h264", "", 2, 12_000)
SEGMENTS = [PlannedSegment(0, "a.mp4", "mov", 300, 0, 12_000, 0, False),
            PlannedSegment(1, "b.mp4", "mov", 200, 12_000, 20_000, 0, False)]  # fmt: skip


class VideoHand:
    """Does by hand what workers do with a video."""

    def __init__(self, scene: GatewayScene) -> None:
        self._scene = scene
        access = scene.jobs.access
        self._jobs = JobScene(access.pool, access.settings, scene.jobs.rows, STEPS)

    async def _file(self, name: str, media_type: str) -> StoredArtifact:
        path = self._scene.fleet.folder / "made"
        path.write_bytes(name.encode())
        blob = await FolderStore(Path(self._scene.store)).put(path, media_type)
        return StoredArtifact(name, media_type, blob.size, blob.sha256, blob.key)

    async def plan(self) -> None:
        output = {"video": VIDEO.document(), "segments": [one.document() for one in SEGMENTS]}
        await self._jobs.end(await self._jobs.claimed("video_plan"), TaskSucceeded(output))

    async def encode(self) -> None:
        """The next segment."""
        task = await self._jobs.claimed("video_encode")
        one = SEGMENTS[task.shard]
        done = EncodedSegment(one.number, one.frames, 0, one.first, one.end, "h")
        files = [await self._file(f"piece_{one.number:05d}.m4s", "video/iso.segment")]
        files += [] if one.number else [await self._file("init.mp4", "video/mp4")]
        output = {"video": VIDEO.document(), "done": done.document()}
        await self._jobs.end(task, TaskSucceeded(output, files))


async def test_a_video_is_asked_for_by_a_preset_and_its_playlist_grows_until_it_is_whole(scene: GatewayScene) -> None:
    await scene.start()
    ann, bob = await scene.user("operator"), await scene.user("operator", "bob")
    clip = (await ann.post("/assets", files={"file": ("a.mp4", CLIP)})).json()["asset"]["id"]
    path, order = "/api/pipeline/generate/video", {"preset_id": "restyle_video_v1", "style": "anime", "seed": 7}
    problem(await ann.post(path, json=order), 400, "CONTRACT_MISMATCH")
    problem(
        await ann.post(path, json={**order, "preset_id": "prompt_to_video_v1", "file": clip}), 400, "CONTRACT_MISMATCH"
    )
    problem(await bob.post(path, json={**order, "file": clip}), 404, "FILE_NOT_FOUND")
    made = await ann.post(path, json={**order, "file": clip}, headers={"Idempotency-Key": "once"})
    assert (made.status_code, made.json()["status"]) == (200, "queued"), made.text
    again = await ann.post(path, json={**order, "file": clip}, headers={"Idempotency-Key": "once"})
    assert again.json()["job_id"] == made.json()["job_id"]
    playlist, hand = f"/jobs/{made.json()['job_id']}/playlist.m3u8", VideoHand(scene)
    await hand.plan()
    assert (await ann.get(playlist)).status_code == 404
    told = []
    for _ in SEGMENTS:
        await hand.encode()
        told.append((await ann.get(playlist)).text)
    assert [text.count("#EXTINF:") for text in told] == [1, 2]
    assert ["#EXT-X-ENDLIST" in text for text in told] == [False, True]
    assert told[1].startswith(told[0])
    assert "#EXT-X-TARGETDURATION:12\n" in told[0]
    assert "#EXTINF:8.000000,\n/artifacts/" in told[1]
    (header,) = [line.split('"')[1] for line in told[0].splitlines() if "EXT-X-MAP" in line]
    assert (await ann.get(header)).content == b"init.mp4"
    for where in (playlist, header):
        assert (await bob.get(where)).status_code == 404
