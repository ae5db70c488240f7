"""Images in stores, as they are registered: objects below a folder, and single ones."""

import io
from pathlib import Path

import pytest

from tests.made_store import Bucket, made_store
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.media.image.store_reader import StoreReader
from windmill.submit.image_listing import BadEntry, Entry, FoundImage, IgnoredFile, ImageAccess, list_entries


def listed(argument: str, endpoint: str = "", stdin: str = "", allow: str = "s3://photos") -> list[Entry]:
    environ = {
        "IMAGE_STORE_ALLOW": allow,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "account",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    stores = StoreReader(Settings.from_env(environ), seconds=2)
    return list(list_entries(argument, io.StringIO(stdin), ImageAccess(Path("/"), stores=stores)))


def test_a_folder_of_a_store_is_listed_page_by_page_and_nothing_is_opened() -> None:
    objects = {f"in/{number:04}.jpg": b"some" for number in range(2_500)}
    bucket = Bucket(objects | {"in/empty.jpg": b"", "in/notes.md": b"text", "in/Ü #1.PNG": b"some"})
    with made_store(photos=bucket) as endpoint:
        found = listed("s3://photos/in", endpoint)
    good = [entry for entry in found if isinstance(entry, FoundImage)]
    assert len(good) == 2_501
    assert FoundImage("0000.jpg", None, "s3://photos/in/0000.jpg") in good
    assert FoundImage("Ü #1.PNG", None, "s3://photos/in/Ü #1.PNG") in good
    assert BadEntry("s3://photos/in/empty.jpg", "is empty") in found
    assert IgnoredFile(".md") in found
    assert set(bucket.asked) == {""}


def test_an_address_that_ends_as_an_image_is_one_object_and_not_asked_for() -> None:
    assert listed("s3://photos/a b.jpg") == [FoundImage("a b.jpg", None, "s3://photos/a b.jpg")]


def test_a_list_names_objects_whatever_they_are_called() -> None:
    found = listed("-", stdin="s3://photos/a.jpg\ns3://photos/scan.000001\ns3://photos/folder/\ns3://others/b.jpg\n")
    assert found[:2] == [
        FoundImage("a.jpg", None, "s3://photos/a.jpg"),
        FoundImage("scan.000001", None, "s3://photos/scan.000001"),
    ]
    assert found[2] == BadEntry("s3://photos/folder/", "names no object")
    assert found[3] == BadEntry("s3://others/b.jpg", "lies outside IMAGE_STORE_ALLOW=s3://photos/")


def test_what_may_not_be_read_is_not_listed() -> None:
    assert listed("s3://others/in") == [BadEntry("s3://others/in", "lies outside IMAGE_STORE_ALLOW=s3://photos/")]
    assert listed("s3://photos/in", allow="") == [BadEntry("s3://photos/in", "lies outside IMAGE_STORE_ALLOW=")]


@pytest.mark.parametrize("missing", ["s3://photos", "s3://photos/in"])
def test_a_bucket_that_is_not_there_is_told(missing: str) -> None:
    with made_store() as endpoint, pytest.raises(WindmillError, match="the store says NoSuchBucket"):
        listed(missing, endpoint)


def test_a_folder_without_any_image_is_told() -> None:
    with made_store(photos=Bucket({"other/a.md": b"text"})) as endpoint:
        assert BadEntry("s3://photos", "no image found in it") in listed("s3://photos", endpoint)


@pytest.mark.parametrize("key", ["in//a.jpg", "in/../a.jpg"])
def test_a_key_that_cannot_be_asked_for_is_told(key: str) -> None:
    told = pytest.raises(WindmillError, match=rf"the key {key} below s3://photos/in has an empty or dotted part")
    with made_store(photos=Bucket({key: b"some"})) as endpoint, told:
        listed("s3://photos/in", endpoint)
