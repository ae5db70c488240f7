"""The decoder with real child processes: whatever an image does, it gets an answer, and other images go on."""

import asyncio
import fcntl
import io
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from tests.conformance.images.hostile_files import flat_png, jpeg_of_many_scans, picture
from tests.waiting import turns, until
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.kernels.boxes.crop_regions import Rectangle
from windmill.media.image.decoder import CHILDREN, ImageDecoder

GOOD = picture()
BOX = {"merged_bbox": {"x": 10, "y": 20, "width": 40, "height": 30}}
SLOW = flat_png(9_000)
"""Takes a second to decode, for 80 kB."""
MEMORY = str(256 * 1024 * 1024)


@asynccontextmanager
async def decoding(
    wall_per_cpu_second: float = 30, idle_seconds: float = 60, **environ: str
) -> AsyncIterator[ImageDecoder]:
    settings = Settings.from_env(environ)
    async with ImageDecoder(settings, idle_seconds=idle_seconds, wall_per_cpu_second=wall_per_cpu_second) as decoder:
        yield decoder
        assert await decoder.fault_of(GOOD) is None, "whatever has happened, the next image is decoded"
        pids = decoder.pids
        assert len(pids) <= CHILDREN
    await until(lambda: not any(map(lives, pids)))


def lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def pipe_sizes(pid: int) -> list[int]:
    """Of the pipes that a child reads and writes."""
    found = []
    for one in Path(f"/proc/{pid}/fd").iterdir():
        if str(one.readlink()).startswith("pipe:"):
            with os.fdopen(os.open(one, os.O_RDWR | os.O_NONBLOCK)) as pipe:
                found.append(fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ))
    return found


async def error_of(decoder: ImageDecoder, image: bytes) -> WindmillError:
    with pytest.raises(WindmillError) as error:
        await decoder.reencode(image, 1_000_000)
    return error.value


async def started(decoder: ImageDecoder) -> int:
    """A child that waits for questions."""
    assert await decoder.fault_of(GOOD) is None
    (pid,) = decoder.pids
    return pid


async def busy(decoder: ImageDecoder) -> int:
    """The only child, once there is one."""
    await until(lambda: decoder.pids)
    return decoder.pids[0]


async def test_no_child_is_started_before_one_is_needed() -> None:
    async with decoding() as decoder:
        assert await decoder.crop(b"no image", []) == []
        assert decoder.pids == []


async def test_one_child_answers_one_question_after_the_other() -> None:
    async with decoding() as decoder:
        first = await started(decoder)
        made = await decoder.reencode(picture(orientation=6), 1_000_000)
        (crop,) = await decoder.crop(GOOD, [BOX])
        assert (made.size, made.image_size) == ((60, 80), (60, 80))
        assert crop
        assert crop.place == Rectangle(10, 20, 40, 30)
        with Image.open(io.BytesIO(crop.jpeg)) as image:
            assert image.size == (40, 30)
        assert decoder.pids == [first]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux makes pipes wider")
async def test_a_picture_passes_to_its_child_and_crops_come_back_at_once() -> None:
    async with decoding() as decoder:
        pid = await started(decoder)
        sizes = pipe_sizes(pid)
    assert len(sizes) == 2
    assert min(sizes) > 64 * 1024


async def test_a_damaged_image_is_at_fault_and_the_child_stays() -> None:
    async with decoding() as decoder:
        first = await started(decoder)
        fault = await decoder.fault_of(GOOD[: len(GOOD) // 2])
        assert fault
        assert (fault.code, fault.retry) == ("IMAGE_UNREADABLE", "never")
        assert decoder.pids == [first]


async def test_a_heic_is_named_as_what_it_is() -> None:
    async with decoding() as decoder:
        error = await error_of(decoder, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
        assert error.code == "IMAGE_UNREADABLE"
        assert "HEIC" in error.message
        assert "JPEG" in error.remedy


async def test_more_pixels_than_are_allowed_are_not_decoded() -> None:
    async with decoding(MAX_IMAGE_PIXELS="100000") as decoder:
        assert (await error_of(decoder, flat_png(400))).code == "IMAGE_TOO_LARGE"


@pytest.mark.parametrize(
    ("form", "mode", "side"),
    [("PNG", "L", 9_000), ("TIFF", "L", 9_000), ("GIF", "L", 9_000), ("WEBP", "RGB", 4_500), ("AVIF", "RGB", 5_000)],
)
async def test_pixels_that_need_more_memory_than_the_child_has_are_too_large(form: str, mode: str, side: int) -> None:
    file = io.BytesIO()
    Image.new(mode, (side, side)).save(file, form, **({"speed": 10} if form == "AVIF" else {}))
    async with decoding(DECODE_MEMORY_BYTES=MEMORY) as decoder:
        error = await error_of(decoder, file.getvalue())
        assert (error.code, error.retry) == ("IMAGE_TOO_LARGE", "never")
        assert "DECODE_MEMORY_BYTES" in error.remedy


async def test_a_file_that_does_not_fit_into_the_childs_memory_is_too_large() -> None:
    async with decoding(DECODE_MEMORY_BYTES=MEMORY) as decoder:
        assert (await error_of(decoder, GOOD + bytes(140_000_000))).code == "IMAGE_TOO_LARGE"
        assert decoder.pids == []
        assert (await decoder.reencode(GOOD + bytes(33_000_000), 1_000_000)).size == (80, 60)


async def test_an_image_that_takes_minutes_ends_with_its_cpu_seconds() -> None:
    async with decoding(wall_per_cpu_second=300, DECODE_CPU_SECONDS="1") as decoder:
        error = await error_of(decoder, jpeg_of_many_scans(150, 8_000))
        assert (error.code, error.retry) == ("IMAGE_TOO_LARGE", "never")
        assert "DECODE_CPU_SECONDS=1" in error.message


async def test_scans_without_number_are_refused_at_once() -> None:
    async with decoding() as decoder:
        assert (await error_of(decoder, jpeg_of_many_scans(1_000, 64))).code == "IMAGE_UNREADABLE"


async def test_cpu_seconds_are_those_of_each_image_and_not_of_all() -> None:
    async with decoding(DECODE_CPU_SECONDS="2") as decoder:
        first = await started(decoder)
        for _ in range(4):
            await decoder.reencode(SLOW, 30_000_000)
        assert decoder.pids == [first]


async def test_a_child_that_was_killed_while_it_was_idle_costs_no_image() -> None:
    async with decoding() as decoder:
        first = await started(decoder)
        os.kill(first, signal.SIGKILL)
        assert (await decoder.reencode(GOOD, 1_000_000)).size == (80, 60)
        assert first not in decoder.pids


async def test_an_image_whose_child_was_killed_once_is_decoded_by_another() -> None:
    async with decoding() as decoder:
        asked = asyncio.create_task(decoder.reencode(SLOW, 30_000_000))
        os.kill(await busy(decoder), signal.SIGKILL)
        assert (await asked).image_size == (9_000, 9_000)


async def test_an_image_whose_children_are_killed_twice_is_tried_again_later() -> None:
    async with decoding() as decoder:
        asked = asyncio.create_task(error_of(decoder, SLOW))
        first = await busy(decoder)
        os.kill(first, signal.SIGKILL)
        await until(lambda: decoder.pids not in ([], [first]))
        os.kill(decoder.pids[0], signal.SIGKILL)
        error = await asked
        assert (error.code, error.retry) == ("IMAGE_TOO_LARGE", "later")


async def test_an_image_that_crashes_its_decoder_twice_is_unreadable() -> None:
    async with decoding() as decoder:
        asked = asyncio.create_task(error_of(decoder, SLOW))
        first = await busy(decoder)
        os.kill(first, signal.SIGSEGV)
        await until(lambda: decoder.pids not in ([], [first]))
        os.kill(decoder.pids[0], signal.SIGSEGV)
        error = await asked
        assert (error.code, error.retry) == ("IMAGE_UNREADABLE", "never")
        assert "SIGSEGV" in error.message


async def test_another_image_goes_on_while_a_child_is_killed() -> None:
    async with decoding() as decoder:
        first = asyncio.create_task(decoder.reencode(SLOW, 30_000_000))
        killed = await busy(decoder)
        second = asyncio.create_task(decoder.reencode(GOOD, 1_000_000))
        os.kill(killed, signal.SIGKILL)
        assert (await second).size == (80, 60)
        assert (await first).image_size == (9_000, 9_000)


async def test_what_signals_a_whole_group_of_processes_ends_no_child() -> None:
    async with decoding() as decoder:
        first = await started(decoder)
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(first, number)
        assert (await decoder.reencode(GOOD, 1_000_000)).size == (80, 60)
        assert decoder.pids == [first]


async def test_a_question_that_is_given_up_takes_its_child_with_it_and_blocks_nobody() -> None:
    async with decoding() as decoder:
        asked = [asyncio.create_task(decoder.reencode(SLOW, 30_000_000)) for _ in range(CHILDREN)]
        await until(lambda: len(decoder.pids) == CHILDREN)
        pids = decoder.pids
        for one in asked:
            one.cancel()
        assert [type(one) for one in await asyncio.gather(*asked, return_exceptions=True)] == [
            asyncio.CancelledError
        ] * CHILDREN
        await until(lambda: not any(map(lives, pids)))
        assert decoder.pids == []


async def test_questions_that_are_given_up_before_their_child_runs_leave_none_behind() -> None:
    async with decoding() as decoder:
        for _ in range(20):
            asked = asyncio.create_task(decoder.fault_of(GOOD))
            await turns(1)
            asked.cancel()
            await asyncio.wait([asked])
        assert decoder.pids == []


@pytest.mark.slow(reason="15 s: a child has to hang for so long")
async def test_a_child_that_hangs_is_ended_and_nobody_blames_the_image() -> None:
    async with decoding(wall_per_cpu_second=15, DECODE_CPU_SECONDS="1") as decoder:
        first = await started(decoder)
        os.kill(first, signal.SIGSTOP)
        error = await error_of(decoder, GOOD)
        assert (error.code, error.retry) == ("IMAGE_TOO_LARGE", "later")
        await until(lambda: not lives(first))


async def test_a_child_that_cannot_run_is_a_defect_and_no_fault_of_the_image(caplog: pytest.LogCaptureFixture) -> None:
    async with decoding() as decoder:
        asked = asyncio.create_task(decoder.fault_of(SLOW))
        first = await busy(decoder)
        os.kill(first, signal.SIGUSR1)
        await until(lambda: decoder.pids not in ([], [first]))
        os.kill(decoder.pids[0], signal.SIGUSR1)
        assert await asked is None
    assert "could not be checked" in caplog.text


async def test_children_end_when_nothing_was_decoded_for_a_while() -> None:
    async with decoding(idle_seconds=0.05) as decoder:
        await asyncio.gather(*(decoder.fault_of(GOOD) for _ in range(4)))
        await until(lambda: not decoder.pids)


async def test_closing_it_ends_children_that_are_at_work_and_starts_none() -> None:
    async with ImageDecoder(Settings.from_env({})) as decoder:
        asked = asyncio.create_task(error_of(decoder, SLOW))
        first = await busy(decoder)
    assert (await asked).code == "DEFECT"
    await until(lambda: not lives(first))
    assert decoder.pids == []


async def test_a_child_sees_no_password_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hunter22")
    async with decoding() as decoder:
        environ = environment_of(await started(decoder))
    assert b"PYTHONPATH" in environ
    assert b"hunter22" not in environ


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP"])
async def test_mutilated_files_get_an_answer_each(form: str) -> None:
    dice = random.Random(form)
    whole = picture(form)
    async with decoding(DECODE_CPU_SECONDS="5", DECODE_MEMORY_BYTES=MEMORY) as decoder:
        for _ in range(60):
            image = bytearray(whole[: dice.randrange(len(whole) // 2, len(whole) + 1)])
            for _change in range(dice.randrange(1, 12)):
                image[dice.randrange(len(image))] = dice.randrange(256)
            fault = await decoder.fault_of(bytes(image))
            assert fault is None or fault.code in ("IMAGE_UNREADABLE", "IMAGE_TOO_LARGE")


async def test_a_child_hashes_pictures_and_says_what_is_no_picture() -> None:
    async with decoding() as decoder:
        made = await decoder.hash(picture(orientation=6))
        assert (made.width, made.height) == (60, 80)
        assert made == await decoder.hash(picture(orientation=6))
        with pytest.raises(WindmillError) as error:
            await decoder.hash(GOOD[: len(GOOD) // 2])
        assert (error.value.code, error.value.retry) == ("IMAGE_UNREADABLE", "never")
