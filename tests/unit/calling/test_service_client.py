"""What a service receives from whoever calls it."""

import asyncio
from dataclasses import replace
from email.message import Message
from email.parser import BytesParser
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.unit.calling.calling_scene import JPEG, OK, YOLOV8, both, client, refused
from tests.unit.loopback import Site, listening, on_each_loop, reply, request_of
from windmill.calling.multipart_request import multipart_body
from windmill.calling.service_client import ServiceClient
from windmill.core.errors import WindmillError
from windmill.core.service_access import load_access
from windmill.core.services import Service
from windmill.core.settings import Settings


def form_part(request: bytes) -> Message:
    """The only part of a multipart request, as a server's parser sees it."""
    parsed = BytesParser().parsebytes(request.partition(b"\r\n")[2])
    assert parsed.get_content_type() == "multipart/form-data"
    parts = parsed.get_payload()
    assert isinstance(parts, list)
    assert len(parts) == 1
    assert isinstance(parts[0], Message)
    return parts[0]


@on_each_loop
async def test_an_upload_is_the_form_that_every_service_accepts() -> None:
    async with both(lambda path: reply(OK)) as (opened, service, site):
        stored = await opened.upload(service, JPEG)
    assert stored.data == OK.decode()
    assert stored.processing_time == 0.2
    assert site.requests[0].startswith(b"POST /analyze HTTP/1.1\r\n")
    part = form_part(site.requests[0])
    assert part.get_param("name", header="content-disposition") == "file"
    assert part.get_filename() == "image.jpg"
    assert part.get_content_type() == "image/jpeg"


@pytest.mark.parametrize("image", [b"", JPEG, b"\r\n", bytes(range(256)) * 8, b"--" * 100])
@on_each_loop
async def test_the_bytes_of_the_image_arrive_unchanged(image: bytes) -> None:
    async with both(lambda path: reply(OK)) as (opened, service, site):
        await opened.upload(service, image)
    head, _, body = site.requests[0].partition(b"\r\n\r\n")
    boundary = b"--" + head.partition(b"boundary=")[2].partition(b"\r\n")[0]
    assert body.startswith(boundary + b"\r\n")
    assert body.endswith(b"\r\n" + boundary + b"--\r\n")
    inner = body[len(boundary) + 2 : -len(boundary) - 6]
    assert inner.partition(b"\r\n\r\n")[2] == image


@on_each_loop
async def test_an_image_over_the_services_limit_is_not_sent() -> None:
    async with both(lambda path: reply(OK)) as (opened, service, site):
        room = service.max_upload_bytes - len(b"".join(multipart_body(b"")))
        await opened.upload(service, bytes(room))
        with pytest.raises(WindmillError, match="4097 bytes are over yolov8's 4096") as error:
            await opened.upload(service, bytes(room + 1))
    assert (error.value.code, error.value.reached) == ("IMAGE_TOO_LARGE", False)
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    "image_url",
    [
        "http://example.com/a.jpg",
        "http://example.com/a b.jpg?x=1&y=2#part",
        "http://example.com/ü/😀.jpg",
        "http://example.com/100%25.jpg?sig=a+b/c==",
        "http://example.com/'\"<>;\\",
    ],
)
@on_each_loop
async def test_a_url_arrives_as_it_was_given(image_url: str) -> None:
    async with both(lambda path: reply(OK)) as (opened, service, site):
        await opened.refer(service, image_url)
    method, target, _ = site.requests[0].split(b"\r\n")[0].split(b" ")
    assert method == b"GET"
    assert parse_qs(urlsplit(target.decode()).query, strict_parsing=True) == {"url": [image_url]}


@on_each_loop
async def test_a_service_that_could_not_fetch_a_url_is_asked_again() -> None:
    async with both(lambda path: reply(b'{"error": {"message": "timed out"}}', "400 Bad Request")) as (
        opened,
        service,
        _,
    ):
        with pytest.raises(WindmillError) as error:
            await opened.refer(service, "http://example.com/a.jpg")
        assert (error.value.code, error.value.retry) == ("SERVICE_REJECTED", "later")
        assert (await refused(opened, service)).retry == "never", "an upload that is rejected stays rejected"


@on_each_loop
async def test_service_host_and_port_offset_lead_to_another_machine() -> None:
    async with both(lambda path: reply(OK), SERVICE_HOST="127.0.0.1", SERVICE_PORT_OFFSET="7") as (
        opened,
        service,
        site,
    ):
        elsewhere = Service(**{**vars(service), "host": "no-such-host.invalid", "port": site.port - 7})
        assert (await opened.upload(elsewhere, JPEG)).data


@on_each_loop
async def test_a_path_may_have_a_query_of_its_own() -> None:
    async with both(lambda path: reply(OK)) as (opened, service, site):
        asking = replace(service, name="asking", path="/an alyze?least=0.5&x=%20")
        await opened.upload(asking, JPEG)
        await opened.refer(asking, "http://example.com/a&b.jpg")
    assert site.requests[0].startswith(b"POST /an%20alyze?least=0.5&x=%20 HTTP/1.1\r\n")
    assert site.requests[1].startswith(b"GET /an%20alyze?least=0.5&x=%20&url=http%3A%2F%2Fexample.com%2Fa%26b.jpg HTTP")


@pytest.mark.parametrize("host", ["[::1]", "::1"])
@on_each_loop
async def test_a_host_may_be_an_address_of_ipv6(host: str) -> None:
    async with client(1, SERVICE_HOST=host) as (opened, service):
        error = await refused(opened, service)
    assert error.message.startswith("yolov8 at ::1:1: ")
    assert error.code == "SERVICE_UNREACHABLE"


@on_each_loop
async def test_an_offset_beyond_the_last_port_means_that_the_service_is_down() -> None:
    async with client(65_535, SERVICE_PORT_OFFSET="7") as (opened, service):
        assert (await refused(opened, service)).code == "SERVICE_UNREACHABLE"


@on_each_loop
async def test_cookies_of_a_service_are_not_sent_back() -> None:
    async with both(lambda path: reply(OK, "200 OK", "Set-Cookie: session=1")) as (opened, service, site):
        await opened.upload(service, JPEG)
        await opened.upload(service, JPEG)
    assert b"cookie" not in site.requests[1].lower()


@on_each_loop
async def test_an_upload_of_several_megabytes_arrives_whole_and_without_a_warning() -> None:
    picture = JPEG * 150_000
    async with both(lambda path: reply(OK)) as (opened, service, site):
        await opened.upload(Service(**{**vars(service), "max_upload_bytes": 2**23}), picture)
    assert b"".join(multipart_body(picture)) in site.requests[0]


@on_each_loop
async def test_each_request_has_an_id_of_its_own() -> None:
    async with both(lambda path: reply(OK)) as (opened, service, site):
        for _ in range(3):
            await opened.upload(service, JPEG)
        await opened.refer(service, "http://example.com/a.jpg")
    ids = [id_of(request) for request in site.requests]
    assert len(set(ids)) == 4
    assert all(ids)


def id_of(request: bytes) -> bytes:
    return request.partition(b"\r\nX-Request-Id: ")[2].partition(b"\r\n")[0]


@on_each_loop
async def test_the_reply_to_another_request_is_known_by_its_id() -> None:
    """The service sends the reply before once more, when the next request has come; it says which one it answers."""
    ids: list[bytes] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Site) -> None:
        while True:
            ids.append(id_of(await request_of(reader)))
            answered = ids[0] if len(ids) == 2 else ids[-1]
            writer.write(reply(OK, "200 OK", f"X-Request-Id: {answered.decode()}"))

    async with listening(converse) as site, client(site.port) as (opened, service):
        await opened.upload(service, JPEG)
        error = await refused(opened, service)
        await opened.upload(service, JPEG)
        assert opened.addresses(service).surplus_connections == 1
    assert (error.code, error.retry) == ("BAD_RESPONSE", "later")
    assert error.message == "yolov8 sent the reply to another request"
    assert site.connections == 2


@on_each_loop
async def test_an_id_that_a_gateway_made_up_says_nothing() -> None:
    async with both(lambda path: reply(OK, "200 OK", "X-Request-Id: 5f2a")) as (opened, service, site):
        for _ in range(3):
            assert (await opened.upload(service, JPEG)).data
    assert site.connections == 1


@on_each_loop
async def test_headers_of_a_service_go_with_uploads_and_with_urls_and_are_hidden_in_its_errors() -> None:
    async def echoing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: Site) -> None:
        while True:
            site.requests.append(await request_of(reader))
            said = b'{"error": {"message": "denied to Bearer k-123456 and to k-123456"}}'
            writer.write(
                reply(said if len(site.requests) > 2 else OK, "500 Error" if len(site.requests) > 2 else "200 OK")
            )

    async with listening(echoing) as site:
        service = replace(YOLOV8, host="127.0.0.1", port=site.port, headers=(("Authorization", "Bearer ${KEY}"),))
        async with ServiceClient(Settings.from_env({}), load_access([service], {"KEY": "k-123456"})) as opened:
            await opened.upload(service, JPEG)
            await opened.refer(service, "http://example.com/a.jpg")
            error = await refused(opened, service)
    assert all(b"\r\nAuthorization: Bearer k-123456\r\n" in request for request in site.requests)
    assert error.code == "SERVICE_ERROR"
    assert "k-123456" not in f"{error!s}{error!r}{error.__cause__!r}"


async def test_a_service_with_a_key_is_not_called_without_it() -> None:
    service = replace(YOLOV8, headers=(("Authorization", "Bearer ${KEY}"),))
    async with ServiceClient(Settings.from_env({})) as opened:
        with pytest.raises(RuntimeError, match="no access to yolov8"):
            await opened.upload(service, JPEG)


@pytest.mark.parametrize(
    "image_url",
    [
        "file:///etc/passwd",
        "ftp://example.com/a.jpg",
        "example.com/a.jpg",
        "http:///a.jpg",
        "http://me:hunter22@example.com/a.jpg",
        "http://me@example.com/a.jpg",
        "http://@example.com/a.jpg",
        "http://127.0.0.1/a.jpg",
        "http://localhost/a.jpg",
        "http://10.0.0.7/a.jpg",
        "http://[::1]/a.jpg",
        "http://169.254.169.254/latest/meta-data",
        "http://127.1/a.jpg",
        "http://2130706433/a.jpg",
        "http://example.com\\@127.0.0.1/a.jpg",
        "http://127.0.0.1\\.example.com/a.jpg",
        " http://example.com/a.jpg",
        "http://exam\tple.com/a.jpg",
    ],
)
@on_each_loop
async def test_a_url_that_breaks_the_rule_for_images_is_not_handed_over(image_url: str) -> None:
    async with both(lambda path: reply(OK)) as (opened, service, site):
        with pytest.raises(WindmillError) as error:
            await opened.refer(service, image_url)
    assert (error.value.code, error.value.retry) == ("IMAGE_FORBIDDEN", "never")
    assert "hunter22" not in str(error.value)
    assert site.requests == []


@on_each_loop
async def test_a_private_host_that_is_allowed_is_handed_over() -> None:
    async with both(lambda path: reply(OK), IMAGE_URL_ALLOW="10.0.0.0/8") as (opened, service, _):
        assert (await opened.refer(service, "http://10.0.0.7/a.jpg")).data
