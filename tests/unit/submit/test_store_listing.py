"""Images in stores, as they are registered: objects below a folder, and single ones."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.made_store import Bucket, made_store
from tests.serving import AnsweringHandler, serving
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.media.image.store_reader import StoreReader
from windmill.submit.image_listing import BadEntry, Entry, FoundImage, IgnoredFile, ImageAccess, list_entries


def listed(
    argument: str, endpoint: str = "", stdin: str = "", allow: str = "s3://photos", **variables: str
) -> list[Entry]:
    environ = variables | {
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


AZURE = {"AZURE_STORAGE_ACCOUNT_NAME": "ours"}
BLOB = "https://ours.blob.core.windows.net/photos/2026/a%20b.jpg"


def test_a_url_of_an_allowed_place_is_registered_as_the_object_and_any_other_as_a_url() -> None:
    argument, line = listed(BLOB, allow="az://photos", **AZURE), listed("-", stdin=BLOB, allow="az://photos", **AZURE)
    assert argument == line == [FoundImage("a b.jpg", None, "az://photos/2026/a b.jpg")]
    assert listed(BLOB, allow="az://others", **AZURE) == [FoundImage("a%20b.jpg", None, BLOB)]
    signed = f"{BLOB}?sig=x"
    assert listed(signed, allow="az://photos", **AZURE) == [FoundImage("a%20b.jpg", None, signed)]


def test_a_password_in_an_address_is_not_repeated() -> None:
    assert listed("-", stdin="dav://me:hunter22@nas/a.jpg", allow="dav://nas") == [
        BadEntry("***", "has an account in it, which belongs into WEBDAV_USER and WEBDAV_PASSWORD")
    ]


def test_a_webdav_server_may_name_nothing_outside_of_what_is_allowed_and_no_circle() -> None:
    named = {
        "/photos": [
            "/photos/",
            "/photos/a.jpg",
            "/photos/in/",
            "/private/b.jpg",
            "/photos/../private/c.jpg",
            "/private/",
        ],
        "/photos/in": ["/photos/in/", "/photos/in/d.jpg", "/photos/", "/photos/in/../../private/"],
    }
    with made_webdav(named) as (host, asked):
        found = listed(f"dav://{host}/photos", allow=f"dav://{host}/photos")
    assert {entry.image_url for entry in found if isinstance(entry, FoundImage)} == {
        f"dav://{host}/photos/a.jpg",
        f"dav://{host}/photos/in/d.jpg",
    }
    assert asked == ["/photos", "/photos/in"]


@contextmanager
def made_webdav(named: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, list[str]]]:
    """A server that answers for each folder what it is told to; and which folders it was asked for."""
    asked: list[str] = []

    class Handler(AnsweringHandler, BaseHTTPRequestHandler):
        def do_PROPFIND(self) -> None:
            asked.append(self.path.rstrip("/"))
            body = (
                f'<D:multistatus xmlns:D="DAV:">{"".join(map(_described, named[asked[-1]]))}</D:multistatus>'.encode()
            )
            self.answer(207, body)

    with serving(Handler) as server:
        yield server, asked


def _described(href: str) -> str:
    kind = "<D:collection/>" if href.endswith("/") else ""
    return (
        f"<D:response><D:href>{href}</D:href><D:propstat><D:prop><D:resourcetype>{kind}</D:resourcetype>"
        "<D:getlastmodified>Thu, 01 Jan 2026 00:00:00 GMT</D:getlastmodified><D:getcontentlength>5</D:getcontentlength>"
        "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
