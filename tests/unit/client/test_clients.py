"""Both clients: what they send, and what they make of the answers."""

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from windmill.client import AsyncClient, Client
from windmill.core.errors import WindmillError

PROBLEM = {"error_code": "NOT_FOUND", "message": "there is no job", "remediation": ["list them"], "errors": []}


def client(answer: Callable[[httpx.Request], httpx.Response], key: str | None = None) -> Client:
    return Client("http://gateway/", key, httpx.MockTransport(answer))


def test_both_clients_can_do_the_same() -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(one).parameters)
            for name, one in vars(kind).items()
            if callable(one) and not name.startswith("__")
        }

    assert methods(Client) == methods(AsyncClient)


def test_a_key_is_sent_and_a_job_is_asked_for_once_under_its_idempotency_key() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer secret"
        assert request.headers["idempotency-key"] == "once"
        assert request.content == b'{"preset":"p","inputs":{"n":1},"engines":[],"consent_given":false}'
        return httpx.Response(201, json={"job": {"public_id": "1"}})

    with client(answer, "secret") as windmill:
        assert windmill.submit("p", {"n": 1}, idempotency_key="once")["public_id"] == "1"


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (httpx.Response(404, json=PROBLEM), "NOT_FOUND", "there is no job"),
        (httpx.Response(404, json={**PROBLEM, "error_code": "FROM_THE_FUTURE"}), "BAD_RESPONSE", "there is no job"),
        (httpx.Response(502, text="<html>"), "BAD_RESPONSE", "answers 502"),
    ],
)
def test_a_problem_becomes_an_error_with_its_code(answer: httpx.Response, code: str, said: str) -> None:
    with client(lambda _: answer) as windmill, pytest.raises(WindmillError, match=said) as raised:
        windmill.job("1")
    assert raised.value.code == code


def test_a_gateway_that_is_not_there_is_named() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with client(refuse) as windmill, pytest.raises(WindmillError, match="http://gateway cannot be reached: refused"):
        windmill.health()


def test_a_list_is_walked_to_its_end() -> None:
    pages = {None: ("1", "c"), "c": ("2", None)}

    def answer(request: httpx.Request) -> httpx.Response:
        job, cursor = pages[request.url.params.get("cursor")]
        return httpx.Response(200, json={"jobs": [{"public_id": job}], "count": 1, "next_cursor": cursor})

    with client(answer) as windmill:
        assert [job["public_id"] for job in windmill.jobs()] == ["1", "2"]


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    content = b"picture"
    digest = hashlib.sha256(content).hexdigest()
    with client(lambda _: httpx.Response(200, content=content)) as windmill:
        assert windmill.download(digest, tmp_path / "good.png").read_bytes() == content
        with pytest.raises(WindmillError, match="is not what was asked for"):
            windmill.download("0" * 64, tmp_path / "bad.png")
    assert [path.name for path in tmp_path.iterdir()] == ["good.png"]


async def test_the_other_client_awaits_the_same_answers(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["windmill-request"] == "1"
        assert request.headers["content-type"].startswith("multipart/form-data")
        return httpx.Response(201, json={"asset": {"id": "a" * 64}})

    async with AsyncClient("http://gateway", transport=httpx.MockTransport(answer)) as windmill:
        assert await windmill.send(tmp_path / "a.png") == "a" * 64


def test_a_run_is_asked_for_waited_for_and_its_results_are_fetched_page_by_page() -> None:
    asked: list[tuple[str, str, str | None]] = []
    states = iter(["running", "running", "succeeded"])

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.raw_path.decode(), request.headers.get("prefer")))
        if request.method == "POST":
            assert request.headers["idempotency-key"] == "once"
            body = b'{"services":["clip"],"group":"holidays","selection":"new","urgent":false}'
            assert request.content == body
            return httpx.Response(202, json={"run": {"run_id": 7, "status": "queued"}})
        if request.url.path.endswith("/results"):
            first = "cursor" not in request.url.params
            found: dict[str, object] = {"image_id": 1 if first else 2, "boxes": [], "votes": None}
            return httpx.Response(200, json={"results": [found], "next_cursor": "more" if first else None})
        return httpx.Response(200, json={"run": {"run_id": 7, "status": next(states)}})

    with client(answer) as windmill:
        run = windmill.submit_run(["clip"], "holidays", idempotency_key="once")
        assert windmill.wait_for_run(run["run_id"])["status"] == "succeeded"
        assert [one["image_id"] for one in windmill.results(run["run_id"])] == [1, 2]
    assert asked == [
        ("POST", "/runs", None),
        *[("GET", "/runs/7", "wait=30")] * 3,
        ("GET", "/runs/7/results?limit=100", None),
        ("GET", "/runs/7/results?limit=100&cursor=more", None),
    ]
