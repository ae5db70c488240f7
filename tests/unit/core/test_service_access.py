"""Addresses by URL, headers from variables, and files of TLS."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.examples import example
from windmill.core.errors import ConfigInvalid
from windmill.core.service_access import ServiceAccess, load_access, secrets_of, tls_context
from windmill.core.service_urls import ServiceUrl
from windmill.core.services import Service, parse_fleet

DEFAULTS = {
    "path": "/analyze",
    "category": "primary",
    "transport": "upload",
    "concurrency": 2,
    "timeout_seconds": 30,
    "max_upload_bytes": 8_388_608,
    "sets": [],
    "feeds": [],
}
KEYED = {"url": "https://gpu.example", "headers": {"Authorization": "Bearer ${CLIP_KEY}"}}


def document(defaults: dict[str, Any] | None = None, **services: object) -> dict[str, object]:
    return {"defaults": DEFAULTS | (defaults or {}), "services": services}


def one(**entry: object) -> Service:
    return with_defaults({}, **entry)


def with_defaults(defaults: dict[str, Any], **entry: object) -> Service:
    return parse_fleet(document(defaults, one=entry)).services["one"]


def problem(**entry: object) -> str:
    with pytest.raises(ConfigInvalid) as refused:
        one(**entry)
    [only] = refused.value.problems
    return str(only)


@pytest.mark.parametrize(
    ("url", "address", "authority"),
    [
        ("https://gpu.example", "https://gpu.example:443/analyze", "gpu.example"),
        ("https://gpu.example:8443/", "https://gpu.example:8443/analyze", "gpu.example:8443"),
        ("https://GPU.example/v1/clip/", "https://gpu.example:443/v1/clip/analyze", "gpu.example"),
        ("http://10.0.0.7", "http://10.0.0.7:80/analyze", "10.0.0.7:80"),
        ("https://[fd00::1]:8443/a b", "", ""),
        ("https://[fd00::1]:8443/a", "https://[fd00::1]:8443/a/analyze", "[fd00::1]:8443"),
    ],
)
def test_a_url_names_the_service_up_to_its_path(url: str, address: str, authority: str) -> None:
    if not address:
        assert "must be a URL such as" in problem(url=url)
        return
    [found] = one(url=url).addresses()
    assert (str(found), found.authority) == (address, authority)


def test_several_urls_are_several_addresses_and_the_first_stands_for_all() -> None:
    service = one(urls=["https://a.example/clip", "http://b.example:81"], path="/look?least=0.5")
    assert [str(url) for url in service.addresses()] == [
        "https://a.example:443/clip/look?least=0.5",
        "http://b.example:81/look?least=0.5",
    ]
    assert (service.host, service.port) == ("a.example", 443)


def test_service_host_and_port_offset_move_a_host_with_a_port_and_no_url() -> None:
    assert one(port=7777).url("gpu-box", 100) == "http://gpu-box:7877/analyze"
    assert one(url="https://gpu.example").url("gpu-box", 100) == "https://gpu.example:443/analyze"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"port": 1, "host": "https://gpu.example"}, 'is a URL; write "url": "https://gpu.example" instead'),
        ({"port": 1, "host": "gpu.example/clip"}, 'is a URL; write "url":'),
        ({"url": "ftp://gpu.example"}, "must be a URL such as"),
        ({"url": "gpu.example"}, "must be a URL such as"),
        ({"url": "https://"}, "must be a URL such as"),
        ({"url": "https://gpu.example:0"}, "must be a URL such as"),
        ({"url": "https://gpu.example:99999"}, "must be a URL such as"),
        ({"url": "https://gpu.example\\@other.example"}, "must be a URL such as"),
        ({"url": "https://[::zz]/"}, "must be a URL such as"),
        ({"url": "https://gpu.example/?a=b"}, "may not have a query"),
        ({"url": "https://gpu.example/clip/analyze"}, "must end before the path /analyze"),
        ({"url": "https://a", "urls": ["https://b"]}, "exclude each other"),
        ({"urls": []}, "must name a URL at least"),
        ({"urls": ["https://a", "https://a:443/"]}, "names an address twice"),
        ({"url": "https://a", "port": 1}, "one.port='': goes into the URL"),
        ({"url": "https://a", "host": "b"}, "one.host='': goes into the URL"),
        ({"port": 1, "ca": "ca.pem"}, "is used with https URLs only"),
        ({"url": "https://a", "client_key": "key.pem"}, "needs a client_certificate"),
        ({"port": 1, "headers": {"Host": "${A}"}}, "is a header that Windmill sets itself"),
        ({"port": 1, "headers": {"X Y": "${A}"}}, "is not the name of a header"),
        ({"port": 1, "headers": {"X-Y": "${A}", "x-y": "${A}"}}, "appears twice"),
        ({"port": 1, "headers": ["X-Y"]}, "must be an object"),
    ],
)
def test_every_mistake_in_an_address_is_told(entry: dict[str, object], said: str) -> None:
    assert said in problem(**entry)


@pytest.mark.parametrize(
    "entry",
    [
        {"url": "https://me:hunter22@gpu.example"},
        {"port": 1, "host": "https://me:hunter22@gpu.example"},
        {"port": 1, "headers": {"Authorization": "Bearer hunter22"}},
        {"port": 1, "headers": {"Authorization": "Bearer hunter22 ${A}\r\nX: y"}},
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(entry: dict[str, object]) -> None:
    assert "hunter22" not in problem(**entry)


def test_services_behind_one_gateway_differ_in_their_prefix() -> None:
    gateway = "https://gateway.example"
    assert parse_fleet(document(one={"url": f"{gateway}/one"}, two={"url": f"{gateway}/two"}))
    for other in ({"url": f"{gateway}/one"}, {"urls": ["https://b", f"{gateway}/one/"]}):
        with pytest.raises(ConfigInvalid, match="is the address of one"):
            parse_fleet(document(one={"url": f"{gateway}/one"}, two=other))
    with pytest.raises(ConfigInvalid, match="is the address of one"):
        parse_fleet(document(one={"port": 7777}, two={"url": "http://localhost:7777"}))


def test_an_entry_replaces_the_address_of_the_defaults() -> None:
    assert with_defaults({"host": "gpu-box"}, url="https://gpu.example").url() == "https://gpu.example:443/analyze"
    assert with_defaults({"url": "https://gpu.example"}, port=7777).url() == "http://localhost:7777/analyze"
    assert with_defaults({"url": "https://gpu.example/all"}, feeds=[]).url() == "https://gpu.example:443/all/analyze"


def test_a_header_takes_its_value_from_the_environment() -> None:
    access = load_access([one(**KEYED)], {"CLIP_KEY": "k-123456"})
    assert access["one"].headers == (("Authorization", "Bearer k-123456"),)
    assert set(secrets_of(access)) == {"Bearer k-123456", "k-123456"}


def test_a_missing_variable_is_told_with_its_service_before_anything_is_called() -> None:
    with pytest.raises(ConfigInvalid) as refused:
        load_access([one(**KEYED)], {"CLIP_KEY": ""})
    assert str(refused.value.problems[0]) == (
        "CLIP_KEY='': is not set, but the service one needs it for its header Authorization"
    )


@pytest.mark.parametrize("value", ["two\r\nlines", " blank", "blank ", "ü", "\x7f"])
def test_a_value_that_is_no_header_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(ConfigInvalid, match="must be visible ASCII in one line; correct CLIP_KEY") as refused:
        load_access([one(url="https://a", headers={"X-Key": "${CLIP_KEY}"})], {"CLIP_KEY": value})
    assert value.strip() not in str(refused.value)


def test_no_repr_shows_a_key() -> None:
    service = one(**KEYED)
    access = load_access([service], {"CLIP_KEY": "k-123456"})
    assert "k-123456" not in f"{service!r} {access!r}"


def test_what_a_service_repeats_of_a_key_is_hidden() -> None:
    access = load_access([one(**KEYED)], {"CLIP_KEY": "k-123456"})["one"]
    assert "k-123456" not in access.hide("the header was 'Bearer k-123456', key=k-123456")
    assert ServiceAccess().hide("untouched") == "untouched"


@pytest.mark.parametrize("key", ["ca", "client_certificate"])
def test_a_file_that_is_missing_or_no_certificate_is_told(key: str, tmp_path: Path) -> None:
    service = one(url="https://a", **{key: "mine.pem"})
    environ = {"WINDMILL_HOME": str(tmp_path)}
    with pytest.raises(ConfigInvalid, match=rf"one\.{key}='mine\.pem': must name a file that can be read"):
        load_access([service], environ)
    (tmp_path / "mine.pem").write_text("no certificate")
    with pytest.raises(ConfigInvalid, match=rf"one\.{key}="):
        tls_context("one", load_access([service], environ)["one"])


def test_the_example_of_the_documentation_is_an_entry() -> None:
    [(name, entry)] = json.loads("{" + example("extending.md", '"clip": {"urls"') + "}").items()
    entry.pop("sets")
    service = one(**entry)
    assert (name, service.url()) == ("clip", "https://gpu-1.example:443/clip/analyze")
    assert service.headers == (("Authorization", "Bearer ${CLIP_KEY}"),)


def test_an_address_is_quoted_in_a_request() -> None:
    assert ServiceUrl("https", "a", 443, "/v 1", "/ä?x=%20").target == "/v%201/%C3%A4?x=%20"
