"""Images that services do not take as they are: what is sent over HTTP, what the row says, and where boxes end up."""

import io
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.Image import Transpose

from tests.e2e.conftest import CONFIG
from tests.e2e.looking import REDUCED
from tests.integration.fleet import Fleet
from tests.parallel import free_offset
from tests.waiting import until

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.timeout(180)]

SERVICES = ("yolov8", "colors", "face", "pose")
SIZE, RED = (480, 800), (80, 160, 240, 120)
STORED_FOR_A_TURN = {1: None, 3: Transpose.ROTATE_180, 6: Transpose.ROTATE_90, 8: Transpose.ROTATE_270}


def painted(size: tuple[int, int] = SIZE, red: tuple[int, int, int, int] = RED) -> Image.Image:
    image = Image.new("RGB", size, (20, 60, 180))
    image.paste((250, 5, 5), (red[0], red[1], red[0] + red[2], red[1] + red[3]))
    return image


def saved(image: Image.Image, form: str = "JPEG", orientation: int = 1) -> bytes:
    """Upright for those who apply EXIF."""
    turn = STORED_FOR_A_TURN[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    (image if turn is None else image.transpose(turn)).save(
        file, form, exif=exif, **({"compress_level": 1} if form == "PNG" else {})
    )
    return file.getvalue()


def noisy(size: tuple[int, int], red: tuple[int, int, int, int]) -> Image.Image:
    """Noise does not compress."""
    image = Image.frombytes("RGB", size, random.Random(4).randbytes(size[0] * size[1] * 3))
    image.paste((250, 5, 5), (red[0], red[1], red[0] + red[2], red[1] + red[3]))
    return image


@pytest.fixture
def looking(fleet: Fleet) -> Fleet:
    """A fleet whose services look at what they are sent."""
    services = json.loads(CONFIG.read_text())["services"]
    ports = [services[name]["port"] for name in SERVICES]
    offset = free_offset(ports)
    fleet.start("tests.e2e.looking", *(str(port + offset) for port in ports))
    fleet.environ |= {"SERVICE_PORT_OFFSET": str(offset), "CANARY_SECONDS": "0"}
    return fleet


async def analysed(fleet: Fleet, *images: bytes) -> list[int]:
    ids = [(await fleet.register_pictures(1, image))[0] for image in images]
    await fleet.produce("--services", "yolov8")
    await fleet.worker("yolov8")
    return ids


async def merged(fleet: Fleet, image_id: int) -> dict[str, float]:
    """The only merged box of an image."""
    question = "SELECT merged_data::text FROM merged_boxes WHERE image_id = $1"
    await until(lambda: fleet.rows.fetchval(question, image_id), 60, fleet.logs)
    box = json.loads(await fleet.rows.fetchval(question, image_id))["merged_bbox"]
    return {name: box[name] for name in ("x", "y", "width", "height")}


async def note(fleet: Fleet, image_id: int) -> dict[str, Any] | None:
    found = await fleet.rows.fetchrow(
        "SELECT image_sent::text, image_fingerprint FROM results WHERE image_id = $1", image_id
    )
    assert found
    assert found["image_fingerprint"] > 0
    return json.loads(found["image_sent"]) if found["image_sent"] else None


def near(box: dict[str, float], red: Sequence[int], tolerance: float = REDUCED) -> bool:
    wanted = dict(zip(("x", "y", "width", "height"), red, strict=True))
    return all(abs(box[name] - wanted[name]) <= 2 * tolerance for name in wanted)


async def test_boxes_of_turned_images_end_up_in_upright_pixels(looking: Fleet) -> None:
    turns = sorted(STORED_FOR_A_TURN)
    ids = await analysed(looking, *(saved(painted(), orientation=turn) for turn in turns))
    looking.start("postprocessors.bbox_merger")
    for image_id, turn in zip(ids, turns, strict=True):
        assert near(await merged(looking, image_id), RED), turn
        told = await note(looking, image_id)
        if turn == 1:
            assert told is None
            continue
        assert told
        assert (told["width"], told["height"], told["orientation"]) == (*SIZE, turn)
        assert told["sent"] | {"bytes": 0} == {
            "width": SIZE[0],
            "height": SIZE[1],
            "bytes": 0,
            "from": "JPEG",
            "why": ["turn"],
        }


@pytest.mark.slow(reason="11 s: a large picture passes all stages")
async def test_boxes_of_an_image_that_was_shrunk_are_those_of_its_full_size(looking: Fleet) -> None:
    size, red = (3400, 3000), (800, 1200, 1600, 400)
    image = saved(noisy(size, red), "PNG")
    assert len(image) > 12 * 1024 * 1024
    (image_id,) = await analysed(looking, image)
    looking.start("postprocessors.bbox_merger")
    assert near(await merged(looking, image_id), red)
    told = await note(looking, image_id)
    assert told
    assert (told["width"], told["height"], told["sent"]["why"]) == (*size, ["shrink"])
    assert told["sent"]["width"] < size[0]
    reply = json.loads(await looking.rows.fetchval("SELECT data::text FROM results"))
    assert reply["predictions"][0]["saw"] == [told["sent"]["width"], told["sent"]["height"]]


async def test_where_nothing_is_shrunk_such_an_image_is_parked_at_once(looking: Fleet) -> None:
    looking.environ["SHRINK_IMAGES"] = "false"
    (image_id,) = await analysed(looking, saved(painted()) + bytes(12 * 1024 * 1024))
    await looking.failed("yolov8")
    (row,) = await looking.results()
    assert (row["image_id"], row["error_code"], row["attempt"]) == (image_id, "IMAGE_TOO_LARGE", 1)


async def test_a_heic_is_unreadable_and_named_and_an_avif_is_converted(looking: Fleet) -> None:
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
    first, second = await analysed(looking, heic, saved(painted(), "AVIF"))
    await looking.failed("yolov8")
    await looking.stored(1)
    rows = {row["image_id"]: row for row in await looking.results()}
    assert rows[first]["error_code"] == "IMAGE_UNREADABLE"
    assert "HEIC" in rows[first]["error_message"]
    told = await note(looking, second)
    assert told
    assert (told["sent"]["from"], told["sent"]["why"]) == ("AVIF", ["convert"])


@pytest.mark.slow(reason="5 s: an image passes all stages")
async def test_crops_of_a_turned_image_show_what_the_box_is_about(looking: Fleet) -> None:
    (image_id,) = await analysed(looking, saved(painted(), orientation=6))
    looking.start("postprocessors.all")
    replies = "SELECT data::text FROM postprocessing WHERE status = 'success' AND service = 'colors' AND image_id = $1"
    await until(lambda: looking.rows.fetchval(replies, image_id), 60, looking.logs)
    ((prediction,), crop) = _reply(await looking.rows.fetchval(replies, image_id))
    seen = prediction["bbox"]
    assert near(crop, RED)
    assert seen["width"] * seen["height"] > 0.8 * crop["width"] * crop["height"], "the crop is red"


def _reply(text: str) -> tuple[list[dict[str, Any]], dict[str, float]]:
    document = json.loads(text)
    return document["predictions"], document["crop"]


@pytest.mark.slow(reason="6 s each: an image passes all stages twice")
@pytest.mark.parametrize("doubled", [True, False])
async def test_an_image_that_was_exchanged_is_not_cut_by_the_boxes_of_the_old_one(
    looking: Fleet, *, doubled: bool
) -> None:
    (image_id,) = await analysed(looking, saved(painted()))
    await looking.stored(1)
    path = Path(await looking.rows.fetchval("SELECT image_path FROM images WHERE image_id = $1", image_id))
    new = painted().resize((SIZE[0] * 2, SIZE[1] * 2)) if doubled else painted(red=(8, 8, 200, 300))
    _exchange(path, saved(new))
    looking.start("postprocessors.all")
    codes = "SELECT array_agg(DISTINCT error_code) FROM postprocessing HAVING count(*) = 3"
    await until(lambda: looking.rows.fetchval(codes), 60, looking.logs)
    assert await looking.rows.fetchval(codes) == ["IMAGE_CHANGED"]


@pytest.mark.slow(reason="6 s: an image passes all stages twice")
async def test_a_new_caption_in_exif_does_not_keep_an_image_from_being_cut(looking: Fleet) -> None:
    (image_id,) = await analysed(looking, saved(painted()))
    await looking.stored(1)
    path = Path(await looking.rows.fetchval("SELECT image_path FROM images WHERE image_id = $1", image_id))
    _add_caption(path)
    looking.start("postprocessors.all")
    codes = "SELECT array_agg(DISTINCT coalesce(error_code, 'none')) FROM postprocessing HAVING count(*) = 3"
    await until(lambda: looking.rows.fetchval(codes), 60, looking.logs)
    assert await looking.rows.fetchval(codes) == ["none"]


def _exchange(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _add_caption(path: Path) -> None:
    """As an editor of metadata does: a segment more, and the same pixels."""
    data = path.read_bytes()
    caption = b"http://ns.adobe.com/xap/1.0/\0 a new caption"
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(caption) + 2).to_bytes(2) + caption + data[2:])
