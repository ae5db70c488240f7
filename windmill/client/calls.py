"""What is sent for each thing that a client can do, and how answers are read. Pure, and shared by both clients."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any

import httpx

from windmill.core.errors import ERROR_CODES, Code, WindmillError

ENDED = frozenset({"succeeded", "failed", "cancelled", "expired"})
LONGEST_WAIT = 30
PATIENCE = 30.0
"""Seconds without any byte of an answer, beside what the server was asked to wait."""


@dataclass(frozen=True)
class Call:
    """A request."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: object | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, IO[bytes] | bytes]] | None = None
    content: bytes | None = None


@dataclass(frozen=True)
class Order:
    """A job as it is asked for."""

    preset: str
    inputs: Mapping[str, object] = field(default_factory=dict)
    quality: str | None = None
    engines: tuple[str, ...] = ()
    consent_given: bool = False
    priority: int | None = None

    def call(self, idempotency_key: str | None = None) -> Call:
        body = {
            "preset": self.preset,
            "inputs": dict(self.inputs),
            "quality": self.quality,
            "engines": list(self.engines),
            "consent_given": self.consent_given,
            "priority": self.priority,
        }
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        given = {name: one for name, one in body.items() if one is not None}
        return Call("POST", "/jobs", json=given, headers=headers)


def new_run_call(
    services: Sequence[str], group: str | None, selection: str, *, urgent: bool, idempotency_key: str | None
) -> Call:
    body = {"services": list(services), "group": group, "selection": selection, "urgent": urgent}
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    return Call("POST", "/runs", json=body, headers=headers)


def run_call(run: int, wait: int) -> Call:
    return Call("GET", f"/runs/{run}", headers={"Prefer": f"wait={wait}"} if wait else {})


def results_call(run: int, cursor: str | None) -> Call:
    return Call("GET", f"/runs/{run}/results", {"limit": 100, **({"cursor": cursor} if cursor else {})})


def list_call(status: str | None, preset: str | None, code: str | None, limit: int, cursor: str | None) -> Call:
    wanted = {"status": status, "preset": preset, "code": code, "limit": limit, "cursor": cursor}
    return Call("GET", "/jobs", {name: one for name, one in wanted.items() if one is not None})


def job_call(job: str, wait: int = 0) -> Call:
    return Call("GET", f"/jobs/{job}", headers={"Prefer": f"wait={wait}"} if wait else {})


def action_call(job: str, action: str, body: Mapping[str, Any] | None) -> Call:
    """`priority` changes the job whatever has happened to it since."""
    if action == "priority":
        return Call("PATCH", f"/jobs/{job}", json=body, headers={"If-Match": "*"})
    return Call("POST", f"/jobs/{job}/{action}", json=body)


def mute_call(service: str, code: str | None, reason: str, until: datetime | None) -> Call:
    body = {"service": service, "code": code, "reason": reason, "until": until.isoformat() if until else None}
    return Call("POST", "/failed/mute", json=body)


def headers_of(key: str | None) -> dict[str, str]:
    """Without a key, forms need a header that no page of another site can send."""
    return {"Windmill-Request": "1", **({"Authorization": f"Bearer {key}"} if key else {})}


def timeouts() -> httpx.Timeout:
    return httpx.Timeout(PATIENCE, read=PATIENCE + LONGEST_WAIT)


def must_be_well(response: httpx.Response) -> None:
    """Raise the problem that the gateway tells; the body has been read."""
    if response.is_success:
        return
    try:
        problem = response.json()
        code, message = str(problem["error_code"]), str(problem["message"])
        remedy = "; ".join(map(str, problem["remediation"]))
    except (ValueError, KeyError, TypeError):
        said = f"{response.url} answers {response.status_code}, and not as a gateway of Windmill does"
        raise WindmillError("BAD_RESPONSE", said, "check the address: --url or WINDMILL_URL") from None
    raise WindmillError(known_code(code), _with_mistakes(message, problem), remedy, retry_after=_seconds(response))


def known_code(text: str) -> Code:
    """A gateway of another version may have further codes."""
    return next((code for code in ERROR_CODES if code == text), "BAD_RESPONSE")


def _with_mistakes(message: str, problem: Mapping[str, Any]) -> str:
    told = [f"{one['pointer'] or one['where']}: {one['detail']}" for one in problem.get("errors") or ()]
    return f"{message} ({'; '.join(told)})" if told else message


def _seconds(response: httpx.Response) -> float | None:
    given = response.headers.get("retry-after", "")
    return float(given) if given.isdigit() else None


def unreachable(url: str, error: httpx.HTTPError) -> WindmillError:
    said = f"the gateway at {url} cannot be reached: {error or type(error).__name__}"
    return WindmillError("SERVICE_UNREACHABLE", said, "start it, or check --url and WINDMILL_URL")


def must_match(artifact_id: str, digest: "hashlib._Hash") -> None:
    """The id of a file is its digest."""
    if digest.hexdigest() != artifact_id:
        raise WindmillError("CHECKSUM_MISMATCH", f"what came of the file {artifact_id} is not what was asked for")
