"""Images in stores: only what is allowed is asked for, and whose fault a failure is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.made_store import Bucket, made_store
from tests.serving import AnsweringHandler, serving
from tests.unit.imaging import JPEG, at_url, refusal, refused
from windmill.core.settings import Settings
from windmill.media.image.source import ImageSource

SECRET = "the-secret-of-the-account"


@pytest.fixture
def photos() -> Bucket:
    return Bucket({"a.jpg": JPEG, "2026/b c#d?e%20f.jpg": JPEG, "large.jpg": JPEG * 100})


@pytest.fixture
def endpoint(photos: Bucket) -> Iterator[str]:
    with made_store(photos=photos, others=Bucket({"a.jpg": JPEG})) as address:
        yield address


def source(endpoint: str, allow: str = "s3://photos") -> ImageSource:
    environ = {
        "IMAGE_STORE_ALLOW": allow,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "account",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "MAX_IMAGE_BYTES": "2048",
    }
    return ImageSource(Settings.from_env(environ), url_seconds=2)


@pytest.mark.parametrize("key", ["a.jpg", "2026/b c#d?e%20f.jpg"])
async def test_an_object_is_read_by_its_key_as_the_store_has_it(endpoint: str, key: str) -> None:
    async with source(endpoint) as images:
        assert await images.read(at_url(f"s3://photos/{key}")) == JPEG


@pytest.mark.parametrize("scheme", ["gs", "az", "dav"])
async def test_a_store_that_is_not_allowed_is_not_opened_whichever_it_is(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    async with source("") as images:
        assert await refused(images, at_url(f"{scheme}://photos/a.jpg")) == ("IMAGE_FORBIDDEN", "never")


async def test_a_password_in_an_address_of_a_job_is_not_shown() -> None:
    async with source("") as images:
        error = await refusal(images, at_url("dav://me:hunter22@nas/a.jpg"))
    assert (error.code, "hunter22" in str(error)) == ("IMAGE_FORBIDDEN", False)
    assert "hunter22" not in at_url("dav://me:hunter22@nas/a.jpg").location


@pytest.mark.parametrize(
    ("place", "variables", "named"),
    [
        ("gs://photos", {"GOOGLE_APPLICATION_CREDENTIALS": "/none.json"}, "GOOGLE_APPLICATION_CREDENTIALS"),
        (
            "az://photos",
            {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "!hunter22"},
            "AZURE_STORAGE_",
        ),
    ],
)
async def test_an_account_that_cannot_be_read_pauses_jobs_and_is_not_shown(
    place: str, variables: dict[str, str], named: str
) -> None:
    async with ImageSource(Settings.from_env({"IMAGE_STORE_ALLOW": place, **variables})) as images:
        error = await refusal(images, at_url(f"{place}/a.jpg"))
    assert (error.code, error.retry, "hunter22" in str(error)) == ("CONFIG_INVALID", "pause", False)
    assert named in error.remedy


@pytest.mark.parametrize(
    "address",
    ["s3://others/a.jpg", "s3://photos-of-others/a.jpg", "s3://photos/../others/a.jpg", "s3://photos//a.jpg",
     "s3://photos/x/./a.jpg", "s3://photos@others/a.jpg", "s3://", "s3:///a.jpg", "S3://others/a.jpg"],
)  # fmt: skip
async def test_what_is_not_allowed_is_forbidden_and_not_asked_for(endpoint: str, photos: Bucket, address: str) -> None:
    async with source(endpoint) as images:
        assert await refused(images, at_url(address)) == ("IMAGE_FORBIDDEN", "never")
    assert photos.asked == []


async def test_a_folder_of_a_bucket_may_be_allowed_alone(endpoint: str) -> None:
    async with source(endpoint, allow="s3://photos/2026/") as images:
        assert await images.read(at_url("s3://photos/2026/b c#d?e%20f.jpg")) == JPEG
        assert await refused(images, at_url("s3://photos/a.jpg")) == ("IMAGE_FORBIDDEN", "never")
        assert await refused(images, at_url("s3://photos/2026-private/a.jpg")) == ("IMAGE_FORBIDDEN", "never")


async def test_without_any_allowed_bucket_none_is_read_and_no_client_loaded(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    async with source(endpoint, allow="") as images:
        assert await refused(images, at_url("s3://photos/a.jpg")) == ("IMAGE_FORBIDDEN", "never")


async def test_an_object_that_is_not_there_is_not_found(endpoint: str) -> None:
    async with source(endpoint) as images:
        assert await refused(images, at_url("s3://photos/none.jpg")) == ("IMAGE_NOT_FOUND", "never")
        assert await refused(images, at_url("s3://photos/folder/")) == ("IMAGE_NOT_FOUND", "never")


async def test_an_object_over_the_limit_is_too_large(endpoint: str) -> None:
    async with source(endpoint) as images:
        assert await refused(images, at_url("s3://photos/large.jpg")) == ("IMAGE_TOO_LARGE", "never")


@pytest.mark.parametrize("word", ["SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken", "NoSuchBucket"])
async def test_a_wrong_account_or_a_missing_bucket_costs_no_job_a_try(endpoint: str, photos: Bucket, word: str) -> None:
    photos.refusals[""] = (404 if word == "NoSuchBucket" else 403, word)
    async with source(endpoint) as images:
        error = await refusal(images, at_url("s3://photos/a.jpg"))
    assert (error.code, error.retry) == ("IMAGE_NOT_FOUND", "pause")
    assert word in error.message


async def test_an_object_that_the_account_may_not_read_is_forbidden(endpoint: str, photos: Bucket) -> None:
    photos.refusals["a.jpg"] = (403, "AccessDenied")
    async with source(endpoint) as images:
        assert await refused(images, at_url("s3://photos/a.jpg")) == ("IMAGE_FORBIDDEN", "never")


async def test_a_store_that_is_ill_is_waited_for(endpoint: str, photos: Bucket) -> None:
    photos.refusals[""] = (503, "SlowDown")
    async with source(endpoint) as images:
        assert await refused(images, at_url("s3://photos/a.jpg")) == ("IMAGE_NOT_FOUND", "pause")


async def test_a_store_that_is_away_is_waited_for() -> None:
    async with source("http://127.0.0.1:1") as images:
        assert await refused(images, at_url("s3://photos/a.jpg")) == ("IMAGE_NOT_FOUND", "pause")


async def test_one_object_that_a_well_store_cannot_give_costs_a_try(endpoint: str, photos: Bucket) -> None:
    photos.refusals["a.jpg"] = (500, "InternalError")
    photos.cut_short.add("2026/b c#d?e%20f.jpg")
    async with source(endpoint) as images:
        assert await refused(images, at_url("s3://photos/a.jpg")) == ("IMAGE_NOT_FOUND", "later")
        assert await refused(images, at_url("s3://photos/2026/b c#d?e%20f.jpg")) == ("IMAGE_NOT_FOUND", "later")


async def test_without_the_extra_the_remedy_is_told_and_jobs_wait(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    async with source(endpoint) as images:
        error = await refusal(images, at_url("s3://photos/a.jpg"))
    assert (error.code, error.retry) == ("CONFIG_INVALID", "pause")
    assert "pip install" in error.remedy


async def test_no_error_shows_the_secret(endpoint: str, photos: Bucket) -> None:
    photos.refusals[""] = (403, "SignatureDoesNotMatch")
    async with source(endpoint) as images:
        error = await refusal(images, at_url("s3://photos/a.jpg"))
    assert SECRET not in str(error)
    assert SECRET not in repr(images.__dict__)


async def test_a_path_wins_over_an_object(endpoint: str, tmp_path: Path, photos: Bucket) -> None:
    (tmp_path / "a.jpg").write_bytes(JPEG)
    settings = Settings.from_env({"IMAGE_ROOT": str(tmp_path), "IMAGE_STORE_ALLOW": "s3://photos"})
    async with ImageSource(settings) as images:
        job = at_url("s3://photos/none.jpg")
        assert await images.read(type(job)(1, "", "a.jpg", job.image_url, job.submitted_at)) == JPEG
    assert photos.asked == []


class Recorder(AnsweringHandler, BaseHTTPRequestHandler):
    """Sends whoever asks to another server, or gives an image; and keeps what it was asked with."""

    target = ""
    seen: list[str | None]

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization"))
        if self.target:
            self.answer(302, b"", {"Location": self.target})
        else:
            self.answer(200, JPEG)


@contextmanager
def recorder(target: str = "") -> Iterator[tuple[str, list[str | None]]]:
    seen: list[str | None] = []
    with serving(type("Own", (Recorder,), {"seen": seen, "target": target})) as server:
        yield server, seen


async def test_the_password_of_a_webdav_server_is_sent_to_no_other() -> None:
    with recorder() as (elsewhere, there), recorder(f"http://{elsewhere}/a.jpg") as (server, here):
        environ = {"IMAGE_STORE_ALLOW": f"dav://{server}", "WEBDAV_USER": "me", "WEBDAV_PASSWORD": SECRET}
        async with ImageSource(Settings.from_env(environ), url_seconds=2) as images:
            assert await images.read(at_url(f"dav://{server}/a.jpg")) == JPEG
            assert SECRET not in repr(images.__dict__)
    assert [bool(account) for account in here] == [True]
    assert there == [None]
