"""What a form needs to be believed, and where pages may lead."""

import pytest
from starlette.requests import Request

from gateway.bodies import body_limit
from gateway.caller import LOCAL, Caller
from gateway.host_rules import foreign_request
from gateway.pages.form_tokens import FormTokens
from gateway.pages.forms import is_from_here, local_path
from gateway.pages.navigation import sections_for
from gateway.pages.paging import older_than
from gateway.pages.static_files import find_static, static_files, static_url
from gateway.session_keys import key_of
from windmill.core.errors import WindmillError

FORM = (b"content-type", b"application/x-www-form-urlencoded")


def request(method: str = "GET", path: str = "/ui/", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": raw, "query_string": b"", "scheme": "http",
             "server": ("localhost", 8000)}  # fmt: skip
    return Request(scope)


def test_a_token_is_good_for_its_owner_and_database_alone() -> None:
    tokens, ann = FormTokens(b"secret"), LOCAL
    assert tokens.is_good(ann, tokens.token_of(ann))
    assert not tokens.is_good(None, tokens.token_of(ann))
    assert not FormTokens(b"other").is_good(ann, tokens.token_of(ann))
    assert not any(tokens.is_good(ann, given) for given in (None, "", "\u00e4", b"x", tokens.token_of(None)))


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"host": "a:1", "origin": "http://a:1", "sec_fetch_site": "same-origin"}, True),
        ({"host": "a:1", "origin": "https://a:1"}, True),
        ({"host": "a:1", "origin": "http://a:2"}, False),
        ({"host": "a:1", "origin": "null"}, False),
        ({"host": "a:1", "sec_fetch_site": "same-site"}, False),
        ({"host": "a:1", "sec_fetch_site": "cross-site"}, False),
    ],
)
def test_a_form_comes_from_the_same_site(headers: dict[str, str], ours: bool) -> None:
    assert is_from_here(request("POST", **headers)) is ours


@pytest.mark.parametrize(
    "given", ["", "/", "//evil.example/ui/", "https://evil.example/ui/", "/ui/\\x", "/ui/a\nb", "ui/"]
)
def test_no_page_leads_to_another_site(given: str) -> None:
    assert local_path(given, "/ui/") == "/ui/"
    assert local_path("/ui/runs?cursor=x", "/ui/") == "/ui/runs?cursor=x"


def test_a_cookie_reads_everywhere_and_changes_only_where_forms_have_tokens() -> None:
    sent = {"cookie": "windmill_key=wm_a"}
    assert key_of(request("GET", "/images/1/thumbnail", **sent)) == "wm_a"
    assert key_of(request("POST", "/ui/keys", **sent)) == "wm_a"
    assert key_of(request("POST", "/keys", **sent)) == ""
    assert key_of(request("DELETE", "/keys/x", **sent)) == ""
    assert key_of(request("POST", "/keys", authorization="Bearer wm_b", **sent)) == "wm_b"


def test_only_pages_take_the_forms_that_any_site_can_send() -> None:
    length = (b"content-length", b"10")
    assert body_limit([FORM, length], 5_000_000, to_page=True) == 1_048_576
    with pytest.raises(WindmillError, match="MEDIA_TYPE_UNSUPPORTED"):
        body_limit([FORM, length], 5_000_000)
    own = [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=x")]
    assert foreign_request(own)
    assert foreign_request(own, to_page=True) is None
    assert foreign_request([*own, (b"origin", b"https://evil.example")], to_page=True)


def test_the_navigation_shows_nobody_what_they_may_not_open() -> None:
    def names(caller: Caller | None) -> set[str]:
        return {one.name for one in sections_for(caller)}

    viewer, operator = names(Caller("ann", "viewer")), names(Caller("ann", "operator"))
    assert names(None) == set()
    assert {"overview", "runs", "failures"} <= viewer
    assert operator - viewer == {"webhooks"}
    assert names(LOCAL) - operator == {"keys", "audit"}


def test_the_next_page_keeps_the_filters_that_are_set() -> None:
    assert older_than("/ui/audit", "c=", {"action": "a b", "subject": ""}) == "/ui/audit?action=a+b&cursor=c%3D"
    assert older_than("/ui/audit", None) == ""


def test_the_address_of_a_file_holds_the_digest_of_its_bytes() -> None:
    url = static_url("windmill.css")
    found = find_static(url.rpartition("/")[2])
    assert found is static_files()["windmill.css"]
    assert (find_static("windmill.css"), find_static("windmill.000000000000.css")) == (None, None)
    assert sum(len(one.body) for one in static_files().values() if one.name.startswith("windmill.")) < 60_000
