"""Calling a service: what it receives, and what each way of not answering becomes."""

import asyncio
import gzip
import select
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.parser import BytesParser
from email.utils import format_datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.unit.loopback import Answer, Site, listening, on_each_loop, reply, request_of, serving
from tests.waiting import forever, until
from windmill.calling.multipart_request import multipart_body
from windmill.calling.service_addresses import FailedAtAddress
from windmill.calling.service_client import ServiceClient
from windmill.core.errors import WindmillError
from windmill.core.service_access import load_access
from windmill.core.service_urls import ServiceUrl
from windmill.core.services import Service, load_fleet
from windmill.core.settings import ROOT, Settings

OK = b'{"status": "success", "predictions": [{"label": "cat"}], "metadata": {"processing_time": 0.2}}'
JPEG = b"\xff\xd8\xff\xe0\r\n--\x00\r\n\r\npicture"
YOLOV8 = load_fleet(ROOT / "service_config.json").services["yolov8"]


@asynccontextmanager
async def client(port: int, **variables: str) -> AsyncIterator[tuple[ServiceClient, Service]]:
    """A client, and a service at a port of this machine."""
    service = Service(**{**vars(YOLOV8), "host": "127.0.0.1", "port": port, "max_upload_bytes": 4096})
    async with ServiceClient(Settings.from_env(variables)) as opened:
        yield opened, service


@asynccontextmanager
async def both(
    answer: Callable[[str], bytes] | Answer, **variables: str
) -> AsyncIterator[tuple[ServiceClient, Service, Site]]:
    async with serving(answer) as site, client(site.port, **variables) as (opened, service):
        yield opened, service, site


async def refused(opened: ServiceClient, service: Service) -> WindmillError:
    with pytest.raises(WindmillError) as error:
        async with asyncio.timeout(10):
            await opened.upload(service, JPEG)
    return error.value


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
async def test_a_refused_port_means_that_the_service_is_down() -> None:
    async with serving(lambda path: reply(OK)) as site:
        pass
    async with client(site.port) as (opened, service):
        error = await refused(opened, service)
    assert (error.code, error.retry) == ("SERVICE_UNREACHABLE", "pause")
    assert error.message.startswith(f"yolov8 at 127.0.0.1:{site.port}: ")


@on_each_loop
async def test_an_unknown_host_means_that_the_service_is_down() -> None:
    async with client(7773, SERVICE_HOST="no-such-host.invalid") as (opened, service):
        assert (await refused(opened, service)).code == "SERVICE_UNREACHABLE"


@on_each_loop
async def test_a_host_that_does_not_take_the_connection_is_down_and_no_try_of_the_job_is_spent() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for taken in (first, second):  # Linux queues one more than the backlog and then drops what comes.
            taken.setblocking(False)
            taken.connect_ex(full.getsockname())
        await until(lambda: select.select([], [first], [], 0)[1])
        async with client(full.getsockname()[1], REQUEST_TIMEOUT="0.4") as (opened, service):
            error = await refused(opened, service)
    assert (error.code, error.retry) == ("SERVICE_UNREACHABLE", "pause")


@on_each_loop
async def test_a_service_that_does_not_answer_in_time_has_timed_out() -> None:
    async def silent(_: str, writer: asyncio.StreamWriter) -> None:
        await forever()

    async with both(silent, REQUEST_TIMEOUT="0.2") as (opened, service, _):
        error = await refused(opened, service)
    assert (error.code, error.retry) == ("SERVICE_TIMEOUT", "later")
    assert error.message == "yolov8 gave no answer in 0.2 s"


@on_each_loop
async def test_the_time_of_the_service_holds_where_the_settings_name_none() -> None:
    async def dripping(_: str, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" if not writer.is_closing() else b"")
            await forever()

    async with both(dripping) as (opened, service, _):
        impatient = Service(**{**vars(service), "timeout_seconds": 0.2})
        assert (await refused(opened, impatient)).code == "SERVICE_TIMEOUT"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    ],
)
@on_each_loop
async def test_a_reply_that_is_cut_off_or_no_http_is_a_bad_response(said: bytes) -> None:
    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    async with both(answer) as (opened, service, _):
        error = await refused(opened, service)
    assert (error.code, error.retry) == ("BAD_RESPONSE", "later")
    assert error.message.startswith("yolov8")


@on_each_loop
async def test_a_reset_connection_is_a_bad_response() -> None:
    async def reset(_: str, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with both(reset) as (opened, service, _):
        assert (await refused(opened, service)).code == "BAD_RESPONSE"


@pytest.mark.parametrize("kind", ["Content-Length: 1000000", "Transfer-Encoding: chunked", "Connection: close"])
@on_each_loop
async def test_a_reply_over_the_limit_is_not_read_to_its_end(kind: str) -> None:
    sent = 0

    async def flood(_: str, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\n{kind}\r\n\r\n".encode())
        while sent < 50_000_000:
            writer.write(b"1000\r\n" + b" " * 0x1000 + b"\r\n" if "chunked" in kind else b" " * 0x1000)
            sent += 0x1000
            await writer.drain()

    async with both(flood, MAX_RESPONSE_BYTES="2048") as (opened, service, _):
        error = await refused(opened, service)
    assert (error.code, error.retry) == ("RESPONSE_TOO_LARGE", "never")
    assert sent < 50_000_000


STATUSES = {
    "500 Oops": "SERVICE_ERROR",
    "400 No": "SERVICE_REJECTED",
    "503 Busy": "SERVICE_OVERLOADED",
    "404 Where": "SERVICE_UNREACHABLE",
    "502 Gone": "SERVICE_UNREACHABLE",
}


@pytest.mark.parametrize("kind", ["Content-Length: 50000000", "Transfer-Encoding: chunked", "Connection: close"])
@pytest.mark.parametrize("status", STATUSES)
@on_each_loop
async def test_the_status_of_an_error_counts_and_not_the_size_of_its_page(status: str, kind: str) -> None:
    sent = 0

    async def flood(_: str, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 {status}\r\n{kind}\r\n\r\n".encode())
        while sent < 50_000_000:
            writer.write(
                b"1000\r\n" + b"stack " * 682 + b"end.\r\n" if "chunked" in kind else b"stack " * 682 + b"end."
            )
            sent += 0x1000
            await writer.drain()

    async with both(flood, MAX_RESPONSE_BYTES="1000000") as (opened, service, site):
        error = await refused(opened, service)
        assert (error.code, error.reached) == (STATUSES[status], True)
        assert sent < 50_000_000
        assert len(error.message) < 1000
        await refused(opened, service)
        assert site.connections == 2, "the rest of the page is no reply to what is asked next"


@on_each_loop
async def test_an_error_that_is_longer_than_a_reply_may_be_keeps_its_beginning() -> None:
    page = b"CUDA out of memory " * 1000
    for body, encoding in ((page, "identity"), (gzip.compress(page), "gzip"), (page, "gzip"), (page, "br")):
        said = reply(body, "500 Oops", f"Content-Encoding: {encoding}")
        async with both(lambda path, said=said: said, MAX_RESPONSE_BYTES="2048") as (opened, service, _):
            error = await refused(opened, service)
        assert error.code == "SERVICE_ERROR"
        assert "CUDA out of memory" in error.message


@on_each_loop
async def test_a_connection_can_be_opened_ahead_of_the_call_that_uses_it() -> None:
    async with both(lambda path: reply(OK)) as (opened, service, site):
        await opened.connect(service)
        await opened.upload(service, JPEG)
        assert site.connections == 1


@on_each_loop
async def test_a_service_that_takes_no_connection_was_not_reached() -> None:
    async with serving(lambda path: reply(OK)) as site:
        pass
    async with client(site.port) as (opened, service):
        with pytest.raises(WindmillError, match=f"yolov8 at 127.0.0.1:{site.port}: ") as error:
            await opened.connect(service)
        assert (error.value.code, error.value.retry, error.value.reached) == ("SERVICE_UNREACHABLE", "pause", False)
        assert not (await refused(opened, service)).reached


@on_each_loop
async def test_a_reply_of_exactly_the_limit_is_taken() -> None:
    body = OK.ljust(2048)
    async with both(lambda path: reply(body), MAX_RESPONSE_BYTES="2048") as (opened, service, _):
        assert (await opened.upload(service, JPEG)).data == body.decode()


@on_each_loop
async def test_a_redirect_is_not_followed() -> None:
    async with serving(lambda path: reply(OK)) as other:
        away = reply(b"", "302 Found", f"Location: http://127.0.0.1:{other.port}/analyze")
        async with both(lambda path: away) as (opened, service, _):
            error = await refused(opened, service)
    assert (error.code, error.retry) == ("BAD_RESPONSE", "later")
    assert "302" in error.message
    assert other.connections == 0


@on_each_loop
async def test_the_answer_of_another_service_of_the_fleet_is_not_taken() -> None:
    said = OK.replace(b"{", b'{"service": "colors", ', 1)
    async with both(lambda path: reply(said)) as (opened, service, _):
        error = await refused(opened, service)
        assert (await opened.upload(replace(service, foreign=frozenset()), JPEG)).data == said.decode()
    assert (error.code, error.retry) == ("BAD_RESPONSE", "pause")
    assert error.message == "colors answers at this address"


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@on_each_loop
async def test_a_service_that_has_too_much_to_do_says_when_to_come_again(status: str) -> None:
    in_a_while = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    async with (
        both(lambda path: reply(b"", status, "Retry-After: 7")) as (opened, service, _),
        both(lambda path: reply(b"", status, f"Retry-After: {in_a_while}")) as (other, dated, _),
        both(lambda path: reply(b"", status)) as (third, silent, _),
    ):
        assert (await refused(opened, service)).retry_after == 7
        assert 590 < ((await refused(other, dated)).retry_after or 0) <= 600
        assert (await refused(third, silent)).retry_after is None


@on_each_loop
async def test_a_connection_is_used_again() -> None:
    async with both(lambda path: reply(OK)) as (opened, service, site):
        for _ in range(5):
            await opened.upload(service, JPEG)
    assert (len(site.requests), site.connections) == (5, 1)


@on_each_loop
async def test_a_service_that_hangs_up_after_every_reply_works_too() -> None:
    async def once(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(OK, "200 OK", "Connection: close"))
        await writer.drain()

    async with both(once) as (opened, service, site):
        for _ in range(3):
            await opened.upload(service, JPEG)
    assert site.connections == 3


@on_each_loop
async def test_a_compressed_reply_is_read() -> None:

    body = gzip.compress(OK)
    async with both(lambda path: reply(body, "200 OK", "Content-Encoding: gzip")) as (opened, service, _):
        assert (await opened.upload(service, JPEG)).data == OK.decode()


@on_each_loop
async def test_a_compressed_reply_is_held_to_the_limit_and_to_its_end() -> None:
    exactly, over = gzip.compress(OK.ljust(2048)), gzip.compress(OK.ljust(2049))
    codes = {exactly: "", over: "RESPONSE_TOO_LARGE", gzip.compress(OK)[:-8]: "BAD_RESPONSE"}
    for body, code in codes.items():
        said = reply(body, "200 OK", "Content-Encoding: gzip")
        async with both(lambda path, said=said: said, MAX_RESPONSE_BYTES="2048") as (opened, service, _):
            if code:
                assert (await refused(opened, service)).code == code
            else:
                await opened.upload(service, JPEG)


@on_each_loop
async def test_a_refusal_without_a_body_is_heard_whatever_it_says_of_its_encoding() -> None:
    async with both(lambda path: reply(b"", "503 Busy", "Content-Encoding: br")) as (opened, service, _):
        assert (await refused(opened, service)).code == "SERVICE_OVERLOADED"


@on_each_loop
async def test_an_encoding_is_not_asked_for() -> None:
    async with both(lambda path: reply(OK)) as (opened, service, site):
        await opened.upload(service, JPEG)
    assert b"\r\nAccept-Encoding: identity\r\n" in site.requests[0]


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


# Ids, keys, image URLs, and several addresses.


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


@on_each_loop
async def test_a_call_that_an_address_does_not_take_goes_to_the_next_at_once() -> None:
    async with serving(lambda path: reply(OK)) as gone:
        pass
    async with serving(lambda path: reply(OK)) as well:
        service = at(gone, well)
        async with ServiceClient(Settings.from_env({})) as opened:
            for _ in range(5):
                assert (await opened.upload(service, JPEG)).data
            assert [one.is_open for one in opened.addresses(service)] == [True, False]
    assert len(well.requests) == 5


@on_each_loop
async def test_an_address_that_turns_a_call_away_is_left_to_the_caller_to_judge() -> None:
    """It may turn away this image alone, and then the next address would, too."""
    busy = reply(b"", "503 Busy", "Retry-After: 30")
    async with serving(lambda path: busy) as full, serving(lambda path: reply(OK)) as well:
        service = at(full, well)
        async with ServiceClient(Settings.from_env({})) as opened:
            with pytest.raises(FailedAtAddress) as raised:
                await opened.upload(service, JPEG)
            assert (raised.value.code, raised.value.address.url.port) == ("SERVICE_OVERLOADED", full.port)
            assert not any(one.is_open for one in opened.addresses(service))
    assert not well.requests


@on_each_loop
async def test_a_call_does_not_go_on_to_further_addresses_for_longer_than_a_time_out() -> None:
    """The slot of the fleet that it holds would expire meanwhile. Its job goes back and counts no try."""
    async with serving(lambda path: reply(OK)) as gone, serving(lambda path: reply(OK)) as gone_too:
        pass
    moments = iter((0.0, 2.9, 3.0))
    async with serving(lambda path: reply(OK)) as well:
        service = at(gone, gone_too, well)
        settings = Settings.from_env({"REQUEST_TIMEOUT": "3"})
        async with ServiceClient(settings, clock=lambda: next(moments)) as opened:
            error = await refused(opened, service)
            assert (error.code, error.reached) == ("SERVICE_UNREACHABLE", False)
            assert opened.addresses(service).can_fail_over()
    assert well.requests == []


@on_each_loop
async def test_when_all_addresses_are_away_the_service_is_and_nothing_is_sent() -> None:
    async with serving(lambda path: reply(OK)) as gone, serving(lambda path: reply(OK)) as other:
        pass
    service = at(gone, other)
    async with ServiceClient(Settings.from_env({})) as opened:
        for _ in range(2):
            error = await refused(opened, service)
            assert (error.code, error.retry) == ("SERVICE_UNREACHABLE", "pause")
        assert "all 2 addresses of yolov8 are away" in error.message


@on_each_loop
async def test_a_failure_names_the_address_that_has_to_be_probed() -> None:
    async def hangs_up(_: str, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with serving(hangs_up) as broken, serving(lambda path: reply(OK)) as well:
        service = at(broken, well)
        async with ServiceClient(Settings.from_env({})) as opened:
            error = await refused(opened, service)
            assert isinstance(error, FailedAtAddress)
            assert error.address.url.port == broken.port
            assert await opened.addresses(service).find_outage(error)
            for _ in range(3):
                await opened.upload(service, JPEG)
    assert len(well.requests) == 3


@on_each_loop
async def test_calls_in_flight_are_spread_over_the_addresses() -> None:
    release = asyncio.Event()

    async def waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: Site) -> None:
        site.requests.append(await request_of(reader))
        await release.wait()
        writer.write(reply(OK))
        await reader.read()

    async with listening(waiting) as one, listening(waiting) as two:
        service = at(one, two)
        async with ServiceClient(Settings.from_env({})) as opened:
            calls = [asyncio.ensure_future(opened.upload(service, JPEG)) for _ in range(8)]
            await until(lambda: len(one.requests) + len(two.requests) == 8)
            release.set()
            await asyncio.gather(*calls)
    assert (len(one.requests), len(two.requests)) == (4, 4)


def at(*sites: Site) -> Service:
    """A service at all these."""
    urls = tuple(ServiceUrl("http", "127.0.0.1", site.port) for site in sites)
    return replace(YOLOV8, urls=urls)
