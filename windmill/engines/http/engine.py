"""An engine that is a server: POST /infer with the inputs and parameters; the answer is, or leads to, the outputs."""

import asyncio
import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from yarl import URL

from windmill.calling.service_addresses import ServiceAddress
from windmill.core.errors import WindmillError
from windmill.core.service_access import ServiceAccess
from windmill.engines.addresses import EngineAddresses
from windmill.engines.cancelling import until_cancelled
from windmill.engines.engine import EngineHealth, EngineKind, EngineOutput, EngineRequest, OnProgress
from windmill.engines.entries import HttpEntry
from windmill.engines.http.answer import Answer, Document, Inline, Paths, Urls, read_answer, read_predictions
from windmill.engines.http.pictures_in_turn import look_at_each, wants_boxes_of_each
from windmill.engines.http.request_body import build
from windmill.engines.http.signing import SignRequest
from windmill.engines.http.unpacking import is_archive, unpack
from windmill.engines.outputs import MAX_FILES, bad_output, gather, prepare
from windmill.engines.remote import Remote, Response, excerpt

CHECK_SECONDS = 5.0
_SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "video/mp4": ".mp4", "audio/wav": ".wav"}


class HttpEngine:
    """Asks a server, and brings home what it made."""

    kind: EngineKind = "http"

    def __init__(self, name: str, entry: HttpEntry, access: ServiceAccess, sign: SignRequest | None = None) -> None:
        self.name = name
        self._entry = entry
        self._sign = sign
        self._addresses = EngineAddresses(name, entry.urls or (entry.url,), self._probe)
        self._remotes = {one: Remote(name, entry, access, one.url) for one in self._addresses}

    @property
    def addresses_away(self) -> int:
        return self._addresses.away

    async def check(self) -> EngineHealth:
        """Whether a server answers there, whatever it says: the contract knows no question about its health. Of several
        addresses one that answers is enough."""
        found = await asyncio.gather(*(self._check(remote) for remote in self._remotes.values()))
        well = [one for one in found if one.ok]
        if len(found) == 1:
            return found[0]
        said = "; ".join(f"{remote.url}: {one.says}" for remote, one in zip(self._remotes.values(), found, strict=True))
        return EngineHealth(bool(well), f"{len(well)} of {len(found)} addresses answer: {said}")

    async def _check(self, remote: Remote) -> EngineHealth:
        url = remote.address(self._entry.path)
        try:
            async with asyncio.timeout(CHECK_SECONDS), remote.request("GET", url, refuse=False) as reply:
                return EngineHealth(reply.status < 502, f"it answers {reply.status} to GET {self._entry.path}")
        except TimeoutError:
            return EngineHealth(False, f"it does not answer within {CHECK_SECONDS:g} s")
        except WindmillError as error:
            return EngineHealth(False, error.message)

    async def _probe(self, address: ServiceAddress) -> None:
        """Raises if the address is away."""
        health = await self._check(self._remotes[address])
        if not health.ok:
            raise WindmillError("ENGINE_OFFLINE", f"the engine {self.name} at {address.url}: {health.says}")

    async def run(self, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event) -> EngineOutput:
        await asyncio.to_thread(prepare, request)
        on_progress(0.0)
        if self._entry.body == "base64" and wants_boxes_of_each(request):
            await until_cancelled(look_at_each(self.name, request, self._ask, on_progress), cancelled)
        else:
            await until_cancelled(self._ask(request), cancelled)
        files = await asyncio.to_thread(gather, request.out, request)
        on_progress(1.0)
        return EngineOutput(files, {"engine": self.name, "kind": self.kind})

    async def close(self) -> None:
        self._addresses.close()
        for remote in self._remotes.values():
            await remote.close()

    async def _ask(self, request: EngineRequest) -> None:
        """At one address after the other, until one has answered that is not away."""
        while True:
            address = await self._addresses.pick()
            try:
                with self._addresses.calling(address):
                    await self._ask_at(self._remotes[address], request)
            except WindmillError as error:
                if not await self._addresses.is_away(address, error):
                    raise
                await asyncio.to_thread(prepare, request)
            else:
                return

    async def _ask_at(self, remote: Remote, request: EngineRequest) -> None:
        with ExitStack() as files:
            options = await asyncio.to_thread(build, self._entry.body, request, files, self._entry.model)
            url: str | URL = remote.address(self._entry.path)
            if self._sign:
                url, options = await asyncio.to_thread(self._sign, remote.url, self._entry.path, options)
            async with remote.request("POST", url, **options) as reply:
                await self._take(remote, reply, request)

    async def _take(self, remote: Remote, reply: Response, request: EngineRequest) -> None:
        kind = reply.content_type
        if kind == "application/json":
            body = await remote.read(reply)
            read = read_predictions if self._entry.body == "base64" else read_answer
            await self._follow(remote, read(remote.parse(body), remote.hide), body, request)
        elif kind.startswith("text/"):
            said = excerpt(await reply.content.read(1_000))
            raise bad_output(f"it answered {kind} and not what it made: {said}")
        else:
            await self._save(remote, reply, request, f"output{_SUFFIXES.get(kind, '.bin')}")

    async def _follow(self, remote: Remote, answer: Answer, body: bytes, request: EngineRequest) -> None:
        """Bring home what a JSON answer leads to."""
        match answer:
            case Paths(paths):
                await asyncio.to_thread(self._copy, paths, request, remote.max_bytes)
            case Urls(urls):
                for url in urls:
                    await self._fetch(remote, url, request)
            case Inline(files):
                for name, data in files.items():
                    await asyncio.to_thread((request.out / name).write_bytes, data)
            case Document():
                await asyncio.to_thread((request.out / "answer.json").write_bytes, body)

    async def _save(self, remote: Remote, reply: Response, request: EngineRequest, name: str) -> None:
        """Write what was sent, unpacked if it is an archive."""
        arrived = request.scratch / "answer"
        await remote.save(reply, arrived)
        if await asyncio.to_thread(is_archive, arrived):
            await asyncio.to_thread(unpack, arrived, request.out, remote.max_bytes)
            await asyncio.to_thread(arrived.unlink)
        else:
            await asyncio.to_thread(arrived.replace, request.out / name)

    async def _fetch(self, remote: Remote, named: str, request: EngineRequest) -> None:
        """From the server itself, or from a host of its entry: an answer must not make us call anybody else."""
        url = urljoin(remote.address(self._entry.path), named)
        parts = urlsplit(url)
        own = url.startswith(f"{remote.url.origin}/") or parts.netloc == remote.url.authority
        if parts.scheme not in ("http", "https") or not (own or parts.netloc in self._entry.download_from):
            said = f"its answer leads to {parts.hostname}, which is not among the hosts of its entry"
            raise bad_output(said, "add the host to download_from of the engine, if that is right")
        name = _free_name(request.out, Path(unquote(parts.path)).name.lstrip(".") or "output.bin")
        async with remote.request("GET", url, own=own) as reply:
            await self._save(remote, reply, request, name)

    def _copy(self, paths: tuple[str, ...], request: EngineRequest, max_bytes: int) -> None:
        """A copy: the server may remove its own."""
        shared = self._entry.shared_folder
        if not shared:
            said = f"it answered the path {paths[0]}, but shares no storage with this machine"
            raise bad_output(said, "set shared_folder of the engine to where its storage is mounted here")
        room = _Room(max_bytes)
        for named in paths:
            source = Path(shared, named).resolve()
            if not source.is_relative_to(Path(shared).resolve()):
                raise bad_output(f"it answered the path {named}, which is not below {shared}")
            if not source.exists():
                raise bad_output(f"it answered the path {named}, where there is nothing")
            _copy_all(source, request.out, room)


def _free_name(folder: Path, name: str) -> str:
    """The name, or one like it that no file has yet."""
    candidates = (name, *(f"{number}_{name}" for number in range(1, MAX_FILES)))
    return next(one for one in candidates if not (folder / one).exists())


class _Room:
    """How much may still be copied."""

    def __init__(self, max_bytes: int) -> None:
        self._bytes, self._files = max_bytes, MAX_FILES

    def take(self, size: int) -> None:
        self._bytes -= size
        self._files -= 1
        if min(self._bytes, self._files) < 0:
            raise bad_output("it answered a folder with more than max_response_bytes or too many files")


def _copy_all(source: Path, target: Path, room: _Room) -> None:
    if source.is_file():
        room.take(source.stat().st_size)
        shutil.copyfile(source, target / source.name)
        return
    for where, folders, names in os.walk(source):
        inside = target / Path(where).relative_to(source)
        folders[:] = [name for name in folders if not Path(where, name).is_symlink()]
        inside.mkdir(exist_ok=True)
        for name in names:
            path = Path(where, name)
            if path.is_symlink() or not path.is_file():
                raise bad_output(f"it answered a folder in which {name} is not a file")
            room.take(path.stat().st_size)
            shutil.copyfile(path, inside / name)
