"""What a smoke test asks of a gateway: each check says nothing if all is well, and raises what is not."""

import io
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from windmill.client import Client
from windmill.client.calls import Call
from windmill.core.errors import WindmillError

POLLS = 30
POLL_SECONDS = 2.0
PATIENCE_SECONDS = 60.0
PIPELINE = "/api/pipeline"


class SmokeFailed(Exception):
    """A check failed; the text says why."""


@dataclass(frozen=True)
class Check:
    """A sentence that should be true, and what finds out."""

    name: str
    run: Callable[[Client], None]


def checks(client: Client) -> Iterator[Check]:
    """All of them; the pictures are one check for each preset that a prompt is enough for."""
    yield Check("it is well, and somebody works", _health)
    yield Check("it describes itself", _description)
    yield Check("it has presets, and knows which it has not", _presets)
    for preset in promptable(client):
        yield Check(f"{preset} makes a picture, which is fetched", _makes(preset))
    yield Check("an upload is made into something", _upload)
    yield Check("mistakes are told with their remedies", _mistakes)
    yield Check("a job that is made twice under one key is one job", _once)


def promptable(client: Client) -> list[str]:
    """The presets for pictures that need nothing but a prompt."""
    try:
        found = get(client, f"{PIPELINE}/presets?category=image_generation")["presets"]
    except WindmillError:
        return []
    return [one["id"] for one in found if list(one["required_inputs"]) == ["prompt"]]


def get(client: Client, path: str) -> Any:  # noqa: ANN401 - any JSON
    return client.call(Call("GET", path)).json()


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise SmokeFailed(f"{what} is {found!r}, not {wanted!r}")


def _health(client: Client) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not (found := client.health())["worker_running"] and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    expect("status", found["status"], "ok")
    expect("worker_running", found["worker_running"], True)


def _description(client: Client) -> None:
    expect("openapi", get(client, "/openapi.json")["openapi"], "3.1.0")


def _presets(client: Client) -> None:
    listed = get(client, f"{PIPELINE}/presets")
    expect("ok", listed["ok"], True)
    if not promptable(client):
        raise SmokeFailed("no preset makes a picture of a prompt alone")
    first = listed["presets"][0]
    expect("the preset", get(client, f"{PIPELINE}/presets/{first['id']}")["preset"], first)
    must_fail(client, Call("GET", f"{PIPELINE}/presets/no_such_preset"), 404, "FILE_NOT_FOUND")


def _makes(preset: str) -> Callable[[Client], None]:
    def run(client: Client) -> None:
        order = {"preset_id": preset, "prompt": "a lighthouse at dusk", "quality_level": "low", "seed": 7}
        made = client.call(Call("POST", f"{PIPELINE}/generate/image", json=order)).json()
        done = _polled(client, f"{PIPELINE}/jobs/{made['job_id']}")
        expect(f"status ({done['error_code']}: {done['error']})", done["status"], "completed")
        expect("progress", done["progress"], 1.0)
        files = get(client, f"{PIPELINE}/jobs/{made['job_id']}/artifacts")["artifacts"]
        if not files:
            raise SmokeFailed("the job is completed, and has no files")
        _must_be_a_picture(client.call(Call("GET", files[0]["path"])).content)

    return run


def _polled(client: Client, path: str) -> Mapping[str, Any]:
    for _ in range(POLLS):
        found: dict[str, Any] = get(client, path)
        if found["status"] in ("completed", "failed", "cancelled"):
            return found
        time.sleep(POLL_SECONDS)
    raise SmokeFailed(f"the job is still {found['status']} after {POLLS} polls")


def _upload(client: Client) -> None:
    job = client.call(Call("POST", "/api/upload", files={"file": ("smoke.png", drawn_picture())})).json()["jobId"]
    done = _polled(client, f"/api/status/{job}")
    expect(f"status ({done['error']})", (done["status"], done["progress"]), ("completed", 100))
    _must_be_a_picture(client.call(Call("GET", done["resultUrl"])).content)
    _must_be_a_picture(client.call(Call("GET", f"/api/jobs/{job}/thumbnail")).content)


def drawn_picture() -> bytes:
    target = io.BytesIO()
    Image.linear_gradient("L").resize((64, 48)).convert("RGB").save(target, "PNG")
    return target.getvalue()


def _must_be_a_picture(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as opened:
        opened.load()


def _mistakes(client: Client) -> None:
    generate = f"{PIPELINE}/generate/image"
    must_fail(client, Call("POST", generate, json={}), 422, "CONTRACT_MISMATCH")
    must_fail(client, Call("POST", generate, json={"preset_id": "none", "prompt": "x"}), 404, "FILE_NOT_FOUND")
    must_fail(client, Call("GET", f"{PIPELINE}/jobs/00000000-0000-4000-8000-000000000000"), 404, "FILE_NOT_FOUND")
    must_fail(client, Call("GET", "/nowhere"), 404, "NOT_FOUND")


def must_fail(client: Client, call: Call, status: int, code: str) -> None:
    """The answer must be this problem, with a remedy."""
    answer = client.answer(call)
    expect(f"{call.method} {call.path}", answer.status_code, status)
    body = answer.json()
    expect("error_code", (body["ok"], body["error_code"]), (False, code))
    if not body["remediation"]:
        raise SmokeFailed("the problem names no remedy")


def _once(client: Client) -> None:
    preset, key = promptable(client)[0], f"smoke-{time.time_ns()}"
    made = {client.submit(preset, {"prompt": "twice"}, idempotency_key=key)["public_id"] for _ in range(2)}
    expect("jobs", len(made), 1)
    client.ask(made.pop(), "cancel")
