"""Every kind of store that images may lie in, with a real server: what is put there is listed and read alike, and what
goes wrong is told alike."""

import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conformance.images.hostile_files import picture
from tests.image_stores import KINDS, Place, RealStores, azure_signature
from tests.unit.imaging import at_url, refusal, refused
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.media.image.source import ImageSource
from windmill.media.image.store_reader import StoreReader
from windmill.submit.image_listing import BadEntry, Entry, FoundImage, IgnoredFile, ImageAccess, list_entries

pytestmark = [
    pytest.mark.slow(reason="30 s: four real servers, one of which is installed with npm"),
    pytest.mark.timeout(1200),
]

JPEG = picture()
ODD = ("a.jpg", "in/b c#d?e%20f&g.jpg", "in/2026/ü é.PNG", "in/it's +1=(2)~.webp")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, real_stores: RealStores) -> Place:
    return real_stores.place(request.param)


def reader(variables: Mapping[str, str]) -> ImageSource:
    return ImageSource(Settings.from_env(variables), url_seconds=5)


def listed(argument: str, variables: Mapping[str, str]) -> list[Entry]:
    stores = StoreReader(Settings.from_env(variables), seconds=20)
    return list(list_entries(argument, io.StringIO(), ImageAccess(Path("/"), stores=stores)))


async def test_what_is_listed_is_read_whatever_it_is_called(place: Place) -> None:
    objects = {key: JPEG + key.encode() for key in ODD}
    await place.fill(objects | {"in/notes.md": b"text", "in/empty.jpg": b"", "inner/z.jpg": JPEG})
    found = listed(place.address, place.allowed)
    good = {entry.image_url for entry in found if isinstance(entry, FoundImage)}
    assert good == {f"{place.address}/{key}" for key in (*ODD, "inner/z.jpg")}
    assert [entry for entry in found if isinstance(entry, BadEntry)] == [
        BadEntry(f"{place.address}/in/empty.jpg", "is empty")
    ]
    assert IgnoredFile(".md") in found
    below = {
        entry.image_url for entry in listed(f"{place.address}/in/", place.allowed) if isinstance(entry, FoundImage)
    }
    assert below == {f"{place.address}/{key}" for key in ODD[1:]}
    async with reader(place.allowed) as images:
        for key, data in objects.items():
            assert await images.read(at_url(f"{place.address}/{key}")) == data, key


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "s3"])
async def test_more_than_a_page_is_listed_whole(real_stores: RealStores, kind: str) -> None:
    """Of S3 a made server gives so many, as Swift would take a minute to get them."""
    place = real_stores.place(kind)
    await place.fill({f"in/{number:04}.jpg": b"some" for number in range(1_100)})
    found = listed(f"{place.address}/in", place.allowed)
    assert len({entry.image_url for entry in found if isinstance(entry, FoundImage)}) == 1_100


async def test_what_is_not_there_or_too_large_or_not_allowed_is_told(place: Place) -> None:
    await place.fill({"a/kept.jpg": JPEG, "b/kept.jpg": JPEG, "a/large.jpg": JPEG * 50, "a/gone.jpg": JPEG})
    await place.lose("a/gone.jpg")
    narrow = place.allowed | {
        "IMAGE_STORE_ALLOW": f"{place.address}/a",
        "MAX_IMAGE_BYTES": str(max(1024, 2 * len(JPEG))),
    }
    async with reader(narrow) as images:
        assert await images.read(at_url(f"{place.address}/a/kept.jpg")) == JPEG
        assert await refused(images, at_url(f"{place.address}/a/gone.jpg")) == ("IMAGE_NOT_FOUND", "never")
        assert await refused(images, at_url(f"{place.address}/a/large.jpg")) == ("IMAGE_TOO_LARGE", "never")
        assert await refused(images, at_url(f"{place.address}/b/kept.jpg")) == ("IMAGE_FORBIDDEN", "never")
    assert listed(f"{place.address}/none", place.allowed) == [BadEntry(f"{place.address}/none", "no image found in it")]


async def test_with_a_wrong_account_jobs_wait_and_no_secret_is_told(place: Place) -> None:
    if place.address.startswith("gs://"):
        pytest.skip("fake-gcs-server looks at no account")
    assert place.wrong
    await place.fill({"a.jpg": JPEG})
    wrong = place.allowed | place.wrong
    async with reader(wrong) as images:
        error = await refusal(images, at_url(f"{place.address}/a.jpg"))
    assert (error.code, error.retry) == ("IMAGE_NOT_FOUND", "pause")
    with pytest.raises(WindmillError) as unlisted:
        listed(place.address, wrong)
    told = f"{error} {error.remedy} {unlisted.value} {unlisted.value.remedy}"
    assert not [value for value in place.wrong.values() if value in told]


async def test_while_the_server_is_away_jobs_wait(place: Place) -> None:
    address = place.away_at or place.address
    async with reader(place.allowed | {"IMAGE_STORE_ALLOW": address} | place.away) as images:
        assert await refused(images, at_url(f"{address}/a.jpg")) == ("IMAGE_NOT_FOUND", "pause")


async def test_a_place_that_is_allowed_may_be_named_by_its_url_of_the_web(place: Place) -> None:
    await place.fill({"in/b c#d.jpg": JPEG})
    scheme, _, rest = place.address.partition("://")
    endpoints = {"s3": "AWS_ENDPOINT_URL", "gs": "STORAGE_EMULATOR_HOST", "az": "AZURE_STORAGE_ENDPOINT"}
    url = f"{place.variables[endpoints[scheme]]}/{rest}" if scheme in endpoints else f"http://{rest}"
    one = FoundImage("b c#d.jpg", None, f"{place.address}/in/b c#d.jpg")
    assert listed(f"{url}/in/", place.allowed) == [one]
    assert listed(f"{url}/in/b%20c%23d.jpg", place.allowed) == [one]


async def test_a_signature_for_a_container_is_enough_for_azure(real_stores: RealStores) -> None:
    place = real_stores.place("az")
    await place.fill({"in/a b.jpg": JPEG})
    variables = dict(place.allowed)
    signature = azure_signature(place.address.removeprefix("az://"), variables.pop("AZURE_STORAGE_ACCOUNT_KEY"))
    variables["AZURE_STORAGE_SAS_TOKEN"] = signature
    assert listed(place.address, variables) == [FoundImage("a b.jpg", None, f"{place.address}/in/a b.jpg")]
    async with reader(variables) as images:
        assert await images.read(at_url(f"{place.address}/in/a b.jpg")) == JPEG
    async with reader(variables | {"AZURE_STORAGE_SAS_TOKEN": signature[:-4]}) as images:
        error = await refusal(images, at_url(f"{place.address}/in/a b.jpg"))
    assert (error.code, error.retry, signature[-9:-4] in str(error)) == ("IMAGE_NOT_FOUND", "pause", False)


async def test_a_server_that_speaks_no_webdav_is_told(real_stores: RealStores) -> None:
    """Any of the others is one."""
    azure = real_stores.place("az")
    host = azure.variables["AZURE_STORAGE_ENDPOINT"].removeprefix("http://")
    with pytest.raises(WindmillError, match="does not speak WebDAV") as refused:
        listed(f"dav://{host}", {"IMAGE_STORE_ALLOW": f"dav://{host}"})
    assert "a list of the URLs" in refused.value.remedy
