"""What a service is sent for an image, and what the row says about it."""

import asyncio
import io
from dataclasses import replace
from typing import Any

import orjson
import pytest
from PIL import Image

from tests.waiting import until
from windmill.calling.multipart_request import MULTIPART_OVERHEAD
from windmill.core.errors import WindmillError
from windmill.core.outcomes import SentImage
from windmill.core.services import Service, load_fleet
from windmill.core.settings import ROOT
from windmill.media.image.change import read_marks
from windmill.media.image.fitting import FORM_BYTES, ImageFitter
from windmill.media.image.reencode import Reencoded

APPLIES = replace(load_fleet(ROOT / "service_config.json").services["clip"], max_upload_bytes=20_000)
KEEPS = replace(APPLIES, exif_orientation="keep")


def picture(orientation: int = 1, form: str = "JPEG", padding: int = 0) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.new("RGB", (60, 40), (200, 10, 10)).save(file, form, exif=exif)
    return file.getvalue() + bytes(padding)


TURNED, UPRIGHT = picture(6), picture()
LARGE = picture(padding=20_000)


class Encoder:
    """Makes JPEGs of ten bytes when it is allowed to, and notes what it was asked for."""

    def __init__(self, size: tuple[int, int] = (40, 60), image_size: tuple[int, int] = (40, 60)) -> None:
        self.asked: list[int] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.error: WindmillError | None = None
        self._sizes = size, image_size

    async def reencode(self, image: bytes, max_bytes: int) -> Reencoded:
        self.asked.append(max_bytes)
        await self.go_on.wait()
        if self.error:
            raise self.error
        return Reencoded(b"ten bytes!", *self._sizes)


@pytest.fixture
def encoder() -> Encoder:
    return Encoder()


def note(sent: SentImage) -> dict[str, Any]:
    assert sent.note
    document = orjson.loads(sent.note)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("image", [UPRIGHT, picture(form="PNG"), b"whatever"])
@pytest.mark.parametrize("service", [APPLIES, KEEPS])
async def test_most_images_are_sent_as_they_are_with_nothing_to_note(
    encoder: Encoder, service: Service, image: bytes
) -> None:
    sent = await ImageFitter(encoder).fit(service, image)
    assert sent == SentImage(image, None, read_marks(image).fingerprint)
    assert encoder.asked == []


@pytest.mark.parametrize("orientation", range(2, 9))
async def test_an_image_that_exif_turns_is_turned_and_the_row_says_so(encoder: Encoder, orientation: int) -> None:
    sent = await ImageFitter(encoder).fit(APPLIES, picture(orientation))
    assert (sent.data, sent.fingerprint) == (b"ten bytes!", read_marks(picture(orientation)).fingerprint)
    assert note(sent) == {
        "width": 40,
        "height": 60,
        "orientation": orientation,
        "sent": {"width": 40, "height": 60, "bytes": 10, "from": "JPEG", "why": ["turn"]},
    }


async def test_a_service_that_turns_images_gets_the_file_and_its_boxes_are_in_upright_pixels(encoder: Encoder) -> None:
    sent = await ImageFitter(encoder).fit(KEEPS, TURNED)
    assert (sent.data, encoder.asked) == (TURNED, [])
    assert note(sent) == {"width": 40, "height": 60, "orientation": 6}


async def test_an_image_over_the_limit_is_sent_smaller(encoder: Encoder) -> None:
    sent = await ImageFitter(Encoder((20, 30))).fit(KEEPS, LARGE)
    assert note(sent)["sent"] == {"width": 20, "height": 30, "bytes": 10, "from": "JPEG", "why": ["shrink"]}


async def test_an_image_over_the_limit_is_left_to_the_client_to_refuse_where_nothing_is_shrunk(
    encoder: Encoder,
) -> None:
    sent = await ImageFitter(encoder, shrinks=False).fit(KEEPS, LARGE)
    assert (sent.data, encoder.asked) == (LARGE, [])


async def test_where_nothing_is_shrunk_a_turned_image_loses_no_pixels_either() -> None:
    with pytest.raises(WindmillError) as error:
        await ImageFitter(Encoder((20, 30)), shrinks=False).fit(APPLIES, TURNED)
    assert (error.value.code, error.value.reached) == ("IMAGE_TOO_LARGE", False)


async def test_a_turned_image_that_has_to_shrink_says_both() -> None:
    sent = await ImageFitter(Encoder((20, 30))).fit(APPLIES, TURNED)
    assert note(sent)["sent"]["why"] == ["turn", "shrink"]


async def test_an_avif_is_converted_for_all_services(encoder: Encoder) -> None:
    sent = await ImageFitter(encoder).fit(KEEPS, picture(form="AVIF"))
    assert note(sent)["sent"]["from"] == "AVIF"
    assert note(sent)["sent"]["why"] == ["convert"]


async def test_the_form_around_the_picture_counts_for_the_limit(encoder: Encoder) -> None:
    assert FORM_BYTES >= MULTIPART_OVERHEAD
    fits = UPRIGHT + bytes(20_000 - FORM_BYTES - len(UPRIGHT))
    fitter = ImageFitter(encoder)
    assert (await fitter.fit(APPLIES, fits)).data == fits
    await fitter.fit(APPLIES, fits + b"\0")
    assert encoder.asked == [20_000 - FORM_BYTES]


async def test_services_with_the_same_limit_share_one_jpeg(encoder: Encoder) -> None:
    fitter = ImageFitter(encoder)
    first = await fitter.fit(APPLIES, TURNED)
    assert (await fitter.fit(APPLIES, bytes(bytearray(TURNED)))).data is first.data
    await fitter.fit(replace(APPLIES, max_upload_bytes=9_000), TURNED)
    assert len(encoder.asked) == 2


async def test_services_that_ask_at_the_same_time_share_one_jpeg(encoder: Encoder) -> None:
    encoder.go_on.clear()
    fitter = ImageFitter(encoder)
    calls = [asyncio.create_task(fitter.fit(APPLIES, TURNED)) for _ in range(5)]
    await until(lambda: encoder.asked)
    encoder.go_on.set()
    assert {sent.data for sent in await asyncio.gather(*calls)} == {b"ten bytes!"}
    assert len(encoder.asked) == 1


async def test_a_call_that_is_given_up_does_not_take_the_jpeg_from_the_others(encoder: Encoder) -> None:
    encoder.go_on.clear()
    fitter = ImageFitter(encoder)
    first, second = (asyncio.create_task(fitter.fit(APPLIES, TURNED)) for _ in range(2))
    await until(lambda: encoder.asked)
    first.cancel()
    await asyncio.wait([first])
    encoder.go_on.set()
    assert (await second).data == b"ten bytes!"


async def test_a_failure_reaches_all_who_wait_and_is_not_remembered(encoder: Encoder) -> None:
    fitter = ImageFitter(encoder)
    encoder.error = WindmillError("IMAGE_UNREADABLE", "it is damaged")
    for _ in range(2):
        with pytest.raises(WindmillError):
            await fitter.fit(APPLIES, TURNED)
    encoder.error = None
    assert (await fitter.fit(APPLIES, TURNED)).data == b"ten bytes!"
    assert len(encoder.asked) == 3


async def test_only_so_many_bytes_are_remembered(encoder: Encoder) -> None:
    fitter = ImageFitter(encoder, remembered_bytes=25)
    for orientation in (3, 6, 8, 8, 3):
        await fitter.fit(APPLIES, picture(orientation))
    assert len(encoder.asked) == 4, "of the three, the first was forgotten"
