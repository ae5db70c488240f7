"""Who is let in where there are no keys."""

import pytest

from gateway.host_rules import foreign_request

OWN = (b"host", b"localhost:8000")


@pytest.mark.parametrize("host", [b"localhost", b"LOCALHOST:8000", b"127.0.0.1:1", b"[::1]:8000", b"[::1]"])
def test_names_of_this_machine_are_served(host: bytes) -> None:
    assert foreign_request([(b"host", host)]) is None


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [OWN, OWN],
        [(b"host", b"rebound.example")],
        [(b"host", b"localhost.rebound.example")],
        [(b"host", b"localhost.")],
        [(b"host", b"127.0.0.1.rebound.example:8000")],
        [OWN, (b"origin", b"null")],
        [OWN, (b"origin", b"http://localhost:3000")],
        [OWN, (b"origin", b"http://localhost:8000.other.example")],
        [OWN, (b"sec-fetch-site", b"cross-site")],
        [OWN, (b"sec-fetch-site", b"same-site")],
        [OWN, (b"content-type", b"Multipart/Form-Data; boundary=x")],
    ],
)
def test_what_another_site_may_have_sent_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    refused = foreign_request(headers)
    assert refused
    assert refused.code == "PERMISSION_DENIED"


@pytest.mark.parametrize("header", [(b"windmill-request", b"1"), (b"authorization", b"Bearer key")])
def test_our_own_pages_and_forms_with_our_header_or_a_key_are_served(header: tuple[bytes, bytes]) -> None:
    own = [OWN, (b"origin", b"http://localhost:8000"), (b"sec-fetch-site", b"same-origin")]
    assert foreign_request([*own, (b"content-type", b"multipart/form-data"), header]) is None
