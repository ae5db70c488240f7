"""Probes that hold any ComfyUI server, real or stand-in, to the contract that the engine relies on. They need neither
weights nor custom nodes; what they make stays in folders of its own below the server's output."""

import io
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import requests
from PIL import Image

POLL_SECONDS = 0.1
Departures = Iterator[str]


@dataclass(frozen=True)
class Server:
    """The server under test."""

    base: str
    session: requests.Session
    timeout: float

    def get(self, path: str, **query: str) -> requests.Response:
        return self.session.get(self.base + path, params=query, timeout=self.timeout)

    def post(self, path: str, document: object) -> requests.Response:
        return self.session.post(self.base + path, json=document, timeout=self.timeout)

    def ended(self, prompt_id: str) -> dict[str, Any] | None:
        """The row of the history once there is one; None if it takes too long."""
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            document = self.get(f"/history/{prompt_id}").json()
            if prompt_id in document:
                row: dict[str, Any] = document[prompt_id]
                return row
            time.sleep(POLL_SECONDS)
        return None


def check_comfyui(base: str, session: requests.Session, timeout: float) -> list[tuple[str, list[str]]]:
    """Every probe with the ways in which the server departs from the contract."""
    server = Server(base, session, timeout)
    return [(name, list(_outcome(probe, server))) for name, probe in PROBES.items()]


def _outcome(probe: Callable[[Server], Departures], server: Server) -> Departures:
    try:
        yield from probe(server)
    except (requests.RequestException, ValueError, KeyError, TypeError, IndexError) as error:
        yield f"{type(error).__name__}: {error!s:.120}"


def _graph(prefix: str, color: int = 255) -> dict[str, Any]:
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 32, "height": 16, "batch_size": 1, "color": color}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": prefix}},
    }


def _status(reply: requests.Response, wanted: int, what: str) -> Departures:
    if reply.status_code != wanted:
        yield f"{what}: expected {wanted}, got {reply.status_code}"


def _system_stats(server: Server) -> Departures:
    document = server.get("/system_stats").json()
    if "comfyui_version" not in document["system"]:
        yield "system has no comfyui_version"
    if not isinstance(document["devices"], list):
        yield "devices is not a list"


def _below_api(server: Server) -> Departures:
    yield from _status(server.get("/api/system_stats"), 200, "/api/system_stats")


def _object_info(server: Server) -> Departures:
    document = server.get("/object_info/KSampler").json()
    required = document["KSampler"]["input"]["required"]
    for name in ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise"):
        if name not in required:
            yield f"KSampler has no input {name}"
    if server.get("/object_info/NoSuchNode").json() != {}:
        yield "an unknown node is not {}"


def _own_id_and_history(server: Server) -> Departures:
    prompt_id = _new_id()
    if server.get(f"/history/{prompt_id}").json() != {}:
        yield "the history of an unknown prompt is not {}"
    answer = server.post("/prompt", {"prompt": _graph(f"{prompt_id}/a"), "prompt_id": prompt_id}).json()
    if answer["prompt_id"] != prompt_id:
        yield "an own prompt_id is not kept"
        return
    if answer["node_errors"]:
        yield f"node_errors of a good graph: {answer['node_errors']!s:.80}"
    row = server.ended(prompt_id)
    if row is None:
        yield "the prompt does not end"
        return
    if row["status"]["status_str"] != "success" or row["status"]["completed"] is not True:
        yield f"status is {row['status']!s:.80}"
    if row["prompt"][2] != _graph(f"{prompt_id}/a"):
        yield "the history does not hold the graph as it was sent"
    yield from _view(server, row["outputs"]["2"]["images"][0], prompt_id)


def _view(server: Server, file: dict[str, str], prompt_id: str) -> Departures:
    if file["subfolder"] != prompt_id or file["type"] != "output":
        yield f"a prefix with / makes no subfolder: {file}"
    got = server.get("/view", **file)
    if Image.open(io.BytesIO(got.content)).size != (32, 16):
        yield "/view gives another picture"
    yield from _status(server.get("/view", filename=file["filename"], type="output"), 404, "/view without subfolder")
    yield from _status(server.get("/view", filename="../x.png", type="output"), 400, "/view of ..")


def _same_graph_again(server: Server) -> Departures:
    prefix, names = f"{_new_id()}/same", []
    for _ in range(2):
        prompt_id = _new_id()
        server.post("/prompt", {"prompt": _graph(prefix, 1234), "prompt_id": prompt_id})
        row = server.ended(prompt_id)
        names.append([file["filename"] for file in row["outputs"]["2"]["images"]] if row else None)
    if names[0] is None or names[0] != names[1]:
        yield f"the same graph twice gives other names: {names}"


def _refusals(server: Server) -> Departures:
    bad = _graph("x")
    bad["1"]["inputs"]["width"] = 0
    yield from _refused(server, {"prompt": bad}, "prompt_outputs_failed_validation", "value_smaller_than_min")
    missing = _graph("x")
    del missing["1"]["inputs"]["height"]
    yield from _refused(server, {"prompt": missing}, "prompt_outputs_failed_validation", "required_input_missing")
    yield from _refused(server, {}, "no_prompt")
    yield from _refused(server, {"prompt": {"1": _graph("x")["1"]}}, "prompt_no_outputs")
    unknown = {"1": {"class_type": "NoSuchNode", "inputs": {}}, **{"2": _graph("x")["2"]}}
    yield from _status(server.post("/prompt", {"prompt": unknown}), 400, "an unknown node")


def _missing_checkpoint(server: Server) -> Departures:
    graph = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "no-such.safetensors"}},
        "2": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "3": {"class_type": "VAEDecode", "inputs": {"samples": ["2", 0], "vae": ["1", 2]}},
        "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "x"}},
    }
    yield from _refused(server, {"prompt": graph}, "prompt_outputs_failed_validation", "value_not_in_list")


def _refused(server: Server, document: object, error: str, fault: str = "") -> Departures:
    reply = server.post("/prompt", document)
    yield from _status(reply, 400, error)
    told = reply.json()
    if told["error"]["type"] != error:
        yield f"error.type: expected {error}, got {told['error']['type']}"
    faults = json.dumps(told["node_errors"])
    if fault and fault not in faults:
        yield f"node_errors: expected {fault}, got {faults:.120}"


def _half_a_graph(server: Server) -> Departures:
    prompt_id = _new_id()
    graph = _graph(f"{prompt_id}/half")
    graph["3"] = {"class_type": "SaveImage", "inputs": {"filename_prefix": "x"}}
    reply = server.post("/prompt", {"prompt": graph, "prompt_id": prompt_id})
    yield from _status(reply, 200, "a graph of which one output is wrong")
    if "3" not in reply.json()["node_errors"]:
        yield "node_errors does not name the output that is left out"
    server.ended(prompt_id)


def _queue(server: Server) -> Departures:
    document = server.get("/queue").json()
    for name in ("queue_running", "queue_pending"):
        if not isinstance(document[name], list):
            yield f"{name} is not a list"
    yield from _status(server.post("/queue", {"delete": [_new_id()]}), 200, "POST /queue of an unknown prompt")
    yield from _status(server.post("/interrupt", {"prompt_id": _new_id()}), 200, "interrupt of an unknown prompt")


def _uploads(server: Server) -> Departures:
    name = f"{_new_id()}.png"
    answers = [_upload(server, name, color) for color in ("red", "red", "blue")]
    if [answers[0]["name"], answers[1]["name"]] != [name, name]:
        yield f"the same file twice does not keep its name: {answers}"
    if answers[2]["name"] == name:
        yield "another file takes the place of the first"


def _upload(server: Server, name: str, color: str) -> dict[str, str]:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(picture, "PNG")
    files = {"image": (name, picture.getvalue(), "image/png")}
    reply = server.session.post(
        f"{server.base}/upload/image", files=files, data={"type": "input"}, timeout=server.timeout
    )
    answer: dict[str, str] = reply.json()
    return answer


def _new_id() -> str:
    return f"windmill-check-{uuid.uuid4()}"


PROBES: dict[str, Callable[[Server], Departures]] = {
    "system_stats": _system_stats,
    "every path below /api": _below_api,
    "object_info": _object_info,
    "own prompt_id, history and view": _own_id_and_history,
    "the same graph again": _same_graph_again,
    "refusals": _refusals,
    "a checkpoint that is not installed": _missing_checkpoint,
    "half a graph": _half_a_graph,
    "queue and interrupt": _queue,
    "uploads": _uploads,
}
