"""The calls to a ComfyUI server."""

import asyncio
import contextlib
import hashlib
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from windmill.core.errors import WindmillError
from windmill.engines.comfyui.graph import Graph, class_types
from windmill.engines.comfyui.history import Finished, ServerFile, is_known, read_history
from windmill.engines.comfyui.refusals import choices_of, missing_file, missing_nodes, node_faults, refused_graph
from windmill.engines.outputs import bad_output, media_type_of
from windmill.engines.remote import Remote, excerpt, refusal

MAX_EVENT_BYTES = 64 * 1024 * 1024


class ComfyUiClient:
    """One server, to which `id` names this process: the events of a prompt go to the client of that id."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self.id = uuid.uuid4().hex

    async def system_stats(self) -> dict[str, Any]:
        found = await self._remote.json("GET", "/system_stats")
        if not isinstance(found, dict) or not isinstance(found.get("system"), dict):
            raise bad_output("it answers /system_stats, but not as ComfyUI does", "correct the url of the engine")
        return found

    async def models(self, folder: str) -> list[str]:
        """The names of the files in a folder of models."""
        found = await self._remote.json("GET", f"/models/{folder}")
        return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []

    async def upload(self, path: Path) -> str:
        """The name under which the server keeps this file: named by its content, so that the same file goes there once
        and another never takes its place."""
        digest = await asyncio.to_thread(_digest, path)
        with path.open("rb") as file:
            form = aiohttp.FormData()
            form.add_field("image", file, filename=f"{digest[:32]}{path.suffix}", content_type=media_type_of(path.name))
            form.add_field("type", "input")
            form.add_field("subfolder", "")
            answer = await self._remote.json("POST", "/upload/image", data=form)
        if not isinstance(answer, dict) or not isinstance(answer.get("name"), str):
            raise bad_output("it took a file, but did not say under which name")
        folder = answer.get("subfolder")
        return f"{folder}/{answer['name']}" if folder else answer["name"]

    async def submit(self, graph: Graph, prompt_id: str) -> None:
        """Queue the graph; raises the error that says why the server refuses it, or any part of it."""
        document = {"prompt": graph, "prompt_id": prompt_id, "client_id": self.id}
        url = self._remote.address("/prompt")
        async with self._remote.request("POST", url, json=document, refuse=False) as reply:
            body = await self._remote.read(reply)
        if reply.status not in (200, 400):
            raise refusal(self._remote.name, reply.status, excerpt(body))
        answer = self._remote.parse(body)
        if not isinstance(answer, dict):
            raise bad_output("it answered /prompt with what is no object")
        if reply.status == 400 or node_faults(answer.get("node_errors")):
            raise await self._refused(answer, graph)
        if answer.get("prompt_id") != prompt_id:
            await self.withdraw(str(answer.get("prompt_id")))
            raise bad_output("it does not keep the id of a prompt", "update ComfyUI to 0.3.40 or later")

    async def history(self, prompt_id: str) -> Finished | None:
        return read_history(await self._remote.json("GET", f"/history/{prompt_id}"), prompt_id)

    async def forget(self, prompt_id: str) -> None:
        """Remove what the history says about a prompt."""
        await self._post("/history", {"delete": [prompt_id]})

    async def is_queued(self, prompt_id: str) -> bool:
        """Whether the prompt waits or runs."""
        return is_known(await self._remote.json("GET", "/queue"), prompt_id)

    async def withdraw(self, prompt_id: str) -> None:
        """Take the prompt out of the queue, and stop it if it runs; only this one."""
        await self._post("/queue", {"delete": [prompt_id]})
        await self._post("/interrupt", {"prompt_id": prompt_id})

    async def fetch(self, file: ServerFile, target: Path) -> None:
        async with self._remote.request("GET", self._remote.address("/view"), params=file.query) as reply:
            await self._remote.save(reply, target)

    async def events(self) -> AsyncIterator[object]:
        """The events of the socket; ends when the connection does."""
        url = self._remote.address("/ws")
        socket = self._remote.session.ws_connect(
            url, params={"clientId": self.id}, headers=self._remote.headers, max_msg_size=MAX_EVENT_BYTES
        )
        with contextlib.suppress(aiohttp.ClientError, OSError):
            async with socket as messages:
                async for message in messages:
                    if message.type == aiohttp.WSMsgType.TEXT:
                        with contextlib.suppress(orjson.JSONDecodeError):
                            yield orjson.loads(message.data)

    async def _post(self, path: str, document: Mapping[str, object]) -> None:
        async with self._remote.request("POST", self._remote.address(path), json=document) as reply:
            await reply.read()

    async def _refused(self, answer: Mapping[str, Any], graph: Graph) -> WindmillError:
        faults = node_faults(answer.get("node_errors"))
        for fault in faults:
            if fault.is_missing_file:
                choices = fault.choices
                if choices is None:
                    info = await self._remote.json("GET", f"/object_info/{fault.class_type}")
                    choices = choices_of(info, fault.class_type, fault.input_name)
                return missing_file(fault, choices)
        if not faults and (unknown := await self._unknown_nodes(graph)):
            return missing_nodes(unknown)
        return refused_graph(answer.get("error"), faults)

    async def _unknown_nodes(self, graph: Graph) -> list[str]:
        """Which nodes of the graph the server does not have: it answers {} for them."""
        found = {name: await self._remote.json("GET", f"/object_info/{name}") for name in class_types(graph)}
        return [name for name, info in found.items() if not info]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
