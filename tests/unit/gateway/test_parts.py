"""Cursors, conditions, limits, ranges, bodies and keys: what is decided without a request."""

import pytest
from starlette.requests import Request

from gateway.artifacts.ranges import wanted_part
from gateway.bodies import DISCARDED_BYTES, CountedBody, Message, body_limit
from gateway.conditions import etag, matches, preferred_wait, required_version
from gateway.cursors import Cursors
from gateway.errors import hide_paths, problem_of
from gateway.rate_limits import RateLimits
from windmill.core.errors import ConfigInvalid, Problem, WindmillError
from windmill.operate.keys.key_text import hash_of, new_key_text, prefix_of, same_hash


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": raw, "query_string": b""})


def test_a_cursor_is_good_for_its_list_and_secret_alone() -> None:
    cursors = Cursors(b"secret")
    cursor = cursors.seal({"list": "jobs", "sees": "ann"}, [1, "a"])
    assert cursors.open({"sees": "ann", "list": "jobs"}, cursor) == [1, "a"]
    tries = [
        (cursors, {"list": "jobs", "sees": "bob"}, cursor),
        (Cursors(b"other"), {"list": "jobs", "sees": "ann"}, cursor),
        *((cursors, {"list": "jobs", "sees": "ann"}, bad) for bad in ("", "ä", "====", cursor[:-2], cursor[::-1])),
    ]
    for one, wanted, text in tries:
        with pytest.raises(WindmillError, match="USAGE: the cursor is not of this list"):
            one.open(wanted, text)


def test_a_change_needs_the_version_that_was_seen() -> None:
    tag = etag(7, b"body")
    assert required_version(request(if_match=tag)) == 7
    assert required_version(request(if_match="*")) is None
    assert (matches(f'W/{tag}, "x"', tag), matches("*", tag), matches('"x"', tag)) == (True, True, False)
    for headers, code in (({}, "PRECONDITION_REQUIRED"), ({"if_match": '"x"'}, "PRECONDITION_FAILED")):
        with pytest.raises(WindmillError, match=code):
            required_version(request(**headers))


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [("wait=10", 10), ("respond-async, wait=5", 5), ("wait=9999", 60), ("await=3", None), ("", None), ("wait=x", None)],
)
def test_how_long_a_client_prefers_to_wait(prefer: str, seconds: float | None) -> None:
    assert preferred_wait(request(prefer=prefer)) == seconds


def test_a_rate_is_refilled_evenly_and_counted_for_each_key() -> None:
    limits = RateLimits(60)
    for _ in range(60):
        limits.take("a", 0.0)
    with pytest.raises(WindmillError, match="RATE_LIMIT_EXCEEDED") as caught:
        limits.take("a", 0.0)
    assert caught.value.retry_after == 1
    assert limits.take("b", 0.0)["RateLimit"] == '"requests";r=59;t=1'
    assert limits.take("a", 2.0)["RateLimit"] == '"requests";r=1;t=59'


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-4", (0, 5)),
        ("bytes=8-", (8, 2)),
        ("bytes=-3", (7, 3)),
        ("bytes=-99", (0, 10)),
        ("bytes=5-99", (5, 5)),
        ("bytes=4-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
        ("lines=1-2", None),
        (None, None),
    ],
)
def test_which_part_of_a_file_is_asked_for(header: str | None, part: tuple[int, int] | None) -> None:
    assert wanted_part(header, 10) == part


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0)])
def test_a_part_that_no_file_has_is_refused(header: str, size: int) -> None:
    with pytest.raises(WindmillError, match="RANGE_NOT_SATISFIABLE"):
        wanted_part(header, size)


def test_a_body_is_judged_by_its_headers_before_it_is_read() -> None:
    json, form = (b"content-type", b"application/json"), (b"content-type", b"multipart/form-data; boundary=x")
    chunked = (b"transfer-encoding", b"chunked")
    assert body_limit([], 5_000_000) == 0
    assert body_limit([json, chunked], 5_000_000) == 1_048_576
    assert body_limit([form, (b"content-length", b"5000000")], 5_000_000) == 5_000_000
    for headers, code in (
        ([json, (b"content-length", b"5000000")], "PAYLOAD_TOO_LARGE"),
        ([form, (b"content-length", b"5000001")], "PAYLOAD_TOO_LARGE"),
        ([chunked], "MEDIA_TYPE_UNSUPPORTED"),
        ([json, form, chunked], "MEDIA_TYPE_UNSUPPORTED"),
        ([(b"content-type", b"text/plain"), chunked], "MEDIA_TYPE_UNSUPPORTED"),
    ):
        with pytest.raises(WindmillError, match=code):
            body_limit(headers, 5_000_000)


@pytest.mark.parametrize(
    ("headers", "read"),
    [([], DISCARDED_BYTES + 65_536), ([(b"expect", b"100-continue")], 0)],
)
async def test_what_a_refused_client_sends_is_dropped_up_to_a_point(
    headers: list[tuple[bytes, bytes]], read: int
) -> None:
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        taken += 65_536
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": True}

    await CountedBody(receive).discard(headers)
    assert taken == read


def test_a_key_is_known_by_its_hash_and_never_shown() -> None:
    made = new_key_text()
    assert (prefix_of(made.text), prefix_of(made.text + "x"), prefix_of("")) == (made.prefix, None, None)
    assert same_hash(made.text, None, hash_of(made.text))
    assert not same_hash(made.text, None, hash_of(new_key_text(made.prefix).text))
    assert made.text not in repr(made)


def test_no_answer_tells_of_folders_secrets_or_servers() -> None:
    assert hide_paths("cannot read /srv/secret/photos/a.jpg: gone") == "cannot read …/a.jpg: gone"
    assert "hunter2" not in hide_paths("postgres://ann:hunter2@db/x")
    ours, theirs = "send a key: Authorization: Bearer KEY", "send a key: Authorization: Bearer KEYTAG"
    assert problem_of(WindmillError("AUTH_MISSING", "no"), "id", "/jobs").remediation == [ours]
    assert "KEYTAG" not in hide_paths(theirs), "only our own table is believed"
    problem = problem_of(WindmillError("DATABASE_UNAVAILABLE", "database x of ann at 10.0.0.7"), "id", "/jobs")
    assert "10.0.0.7" not in problem.model_dump_json()
    assert (problem.status, problem.retryable) == (503, True)


@pytest.mark.parametrize(
    ("error", "told", "untold"),
    [
        (
            WindmillError("CONFIG_INVALID", "ann at 10.0.0.7: refused", "correct QUEUE_USER and QUEUE_PASSWORD"),
            ("QUEUE_USER, QUEUE_PASSWORD", ".env"),
            ("ann at", "10.0.0.7"),
        ),
        (ConfigInvalid([Problem("IMAGE_ROOT", "/srv/x", "is no folder")]), ("IMAGE_ROOT", ".env"), ("srv", "folder")),
        (WindmillError("CONFIG_INVALID", "/srv/graph.json holds no graph"), ("log of the gateway",), ("graph",)),
    ],
)
def test_a_wrong_setting_of_the_gateway_is_named_without_its_value(
    error: WindmillError, told: tuple[str, ...], untold: tuple[str, ...]
) -> None:
    problem = problem_of(error, "id", "/jobs")
    said = f"{problem.message} {problem.remediation[0]}"
    assert [word for word in told if word not in said] == []
    assert [word for word in untold if word in said] == []
