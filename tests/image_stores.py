"""Real servers of every kind of store that images may lie in, and a place of its own on one for each test."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import subprocess
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from obstore.store import AzureStore

from dev.servers.image_store_programs import ImageStorePrograms, programs
from dev.servers.ports import LOOPBACK, answers
from tests.e2e.swift_store import Bucket
from tests.google_writes import google_with_writes
from tests.integration.fleet import unavailable
from tests.parallel import free_offset
from tests.waiting import wait_until
from windmill.core.errors import WindmillError

KINDS = ("s3", "gs", "az", "dav")
START_SECONDS = 120.0
NOWHERE = f"http://{LOOPBACK}:1"
ACCOUNT, PASSWORD = "windmill", "the password of the tests"


@dataclass(frozen=True)
class Place:
    """A bucket, container or folder: its address, and what a reader sets. `wrong` is set by one with a wrong account,
    and empty where the server knows none; `away` and `away_at` by one whose server is away."""

    address: str
    variables: Mapping[str, str]
    put: Callable[[str, bytes], None]
    remove: Callable[[str], None]
    away: dict[str, str]
    wrong: dict[str, str] = field(default_factory=dict)
    away_at: str = ""

    async def fill(self, objects: Mapping[str, bytes]) -> None:
        for key, data in objects.items():
            await asyncio.to_thread(self.put, key, data)

    async def lose(self, key: str) -> None:
        await asyncio.to_thread(self.remove, key)

    @property
    def allowed(self) -> dict[str, str]:
        """What lets a reader read it, and nothing beside it."""
        return {"IMAGE_STORE_ALLOW": self.address, **self.variables}


class RealStores:
    """Starts each server when a test first needs it."""

    def __init__(self, folder: Path, s3: Callable[[], Mapping[str, str]], stack: ExitStack) -> None:
        self._folder = folder
        self._s3 = s3
        self._stack = stack

    def place(self, kind: str) -> Place:
        """A new place, with nothing in it."""
        return {"s3": self._s3_place, "gs": self._google, "az": self._azure, "dav": self._webdav}[kind]()

    def _start(self, name: str, argv: Sequence[str], port: int, **variables: str) -> None:
        self._stack.enter_context(_running(name, argv, port, self._folder, variables))

    @cached_property
    def _programs(self) -> ImageStorePrograms:
        try:
            return programs({}, lambda _: None)
        except WindmillError as error:
            unavailable(str(error))

    def _s3_place(self) -> Place:
        variables = self._s3()
        bucket = Bucket(variables)
        return Place(
            f"s3://{bucket.name}",
            variables,
            bucket.put,
            lambda key: asyncio.run(bucket.remove(key)),
            away={"AWS_ENDPOINT_URL": NOWHERE},
            wrong={"AWS_SECRET_ACCESS_KEY": "of another account"},
        )

    @cached_property
    def _google_endpoint(self) -> str:
        port = _free_port()
        server = f"{LOOPBACK}:{port}"
        options = [
            "-backend",
            "memory",
            "-scheme",
            "http",
            "-host",
            LOOPBACK,
            "-port",
            str(port),
            "-public-host",
            server,
        ]
        self._start("google", [*self._programs.google, *options, "-external-url", f"http://{server}"], port)
        return self._stack.enter_context(google_with_writes(port))

    def _google(self) -> Place:
        endpoint, name = self._google_endpoint, _new_name()
        _ask("POST", f"{endpoint}/storage/v1/b", json.dumps({"name": name}).encode())
        objects = f"storage/v1/b/{name}/o"
        return Place(
            f"gs://{name}",
            {"STORAGE_EMULATOR_HOST": endpoint},
            lambda key, data: _ask("POST", f"{endpoint}/upload/{objects}?uploadType=media&name={quote(key)}", data),
            lambda key: _ask("DELETE", f"{endpoint}/{objects}/{quote(key, safe='')}"),
            away={"STORAGE_EMULATOR_HOST": NOWHERE},
        )

    @cached_property
    def _azure_account(self) -> dict[str, str]:
        port, key = _free_port(), base64.b64encode(secrets.token_bytes(32)).decode()
        options = ["--blobHost", LOOPBACK, "--blobPort", str(port), "--inMemoryPersistence", "--disableTelemetry"]
        argv = [*self._programs.azure, *options, "--skipApiVersionCheck"]
        self._start("azure", argv, port, AZURITE_ACCOUNTS=f"{ACCOUNT}:{key}")
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": key,
            "AZURE_STORAGE_ENDPOINT": f"http://{LOOPBACK}:{port}/{ACCOUNT}",
        }

    def _azure(self) -> Place:
        variables, name = self._azure_account, _new_name()
        endpoint, key = variables["AZURE_STORAGE_ENDPOINT"], variables["AZURE_STORAGE_ACCOUNT_KEY"]
        _make_container(endpoint, name, key)
        store = AzureStore(
            name,
            account_name=ACCOUNT,
            account_key=key,
            endpoint=endpoint,
            client_options={"allow_http": True},
        )
        return Place(
            f"az://{name}",
            variables,
            lambda path, data: _nothing(store.put(path, data, use_multipart=False)),
            store.delete,
            away={"AZURE_STORAGE_ENDPOINT": f"{NOWHERE}/{ACCOUNT}"},
            wrong={"AZURE_STORAGE_ACCOUNT_KEY": base64.b64encode(b"of another account").decode()},
        )

    @cached_property
    def _webdav_server(self) -> tuple[str, Path]:
        port, root = _free_port(), self._folder / "webdav"
        root.mkdir()
        config = self._folder / "wsgidav.json"
        config.write_text(
            json.dumps(
                {
                    "host": LOOPBACK,
                    "port": port,
                    "provider_mapping": {"/": str(root)},
                    "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
                    "simple_dc": {"user_mapping": {"*": {ACCOUNT: {"password": PASSWORD}}}},
                }
            )
        )
        self._start("webdav", [*self._programs.webdav, "--config", str(config)], port)
        return f"{LOOPBACK}:{port}", root

    def _webdav(self) -> Place:
        (server, root), name = self._webdav_server, _new_name()
        (root / name).mkdir()

        def put(key: str, data: bytes) -> None:
            path = root / name / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

        return Place(
            f"dav://{server}/{name}",
            {"WEBDAV_USER": ACCOUNT, "WEBDAV_PASSWORD": PASSWORD},
            put,
            lambda key: (root / name / key).unlink(),
            away={},
            wrong={"WEBDAV_PASSWORD": "of another account"},
            away_at=f"dav://{LOOPBACK}:1/{name}",
        )


@contextmanager
def _running(name: str, argv: Sequence[str], port: int, folder: Path, variables: Mapping[str, str]) -> Iterator[None]:
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, stdout=output, stderr=output, cwd=folder, env={"PATH": "/usr/bin:/bin", **variables}
        )
    with process:
        try:
            wait_until(lambda: answers(LOOPBACK, port, 1), START_SECONDS, what=f"{name}, see {log}")
            yield
        finally:
            process.terminate()


def _make_container(endpoint: str, name: str, key: str) -> None:
    """obstore makes no containers: a request that is signed here."""
    headers = {"x-ms-date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"), "x-ms-version": "2021-12-02"}
    signed = [f"{header}:{value}" for header, value in headers.items()]
    path = f"/{ACCOUNT}/{ACCOUNT}/{name}"
    text = "\n".join(["PUT", *[""] * 11, *signed, path, "restype:container"])
    signature = base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), hashlib.sha256)).decode()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{signature}"
    # Without data, as a content type would have to be signed as well.
    _ask("PUT", f"{endpoint}/{name}?restype=container", None, headers | {"Content-Length": "0"})


def azure_signature(container: str, key: str) -> str:
    """What a portal gives out for reading and listing one container until the day is over."""
    end, version = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"), "2020-12-06"
    text = "\n".join(["rl", "", end, f"/blob/{ACCOUNT}/{container}", "", "", "", version, "c", *[""] * 7])
    signed = base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), hashlib.sha256)).decode()
    return f"?sp=rl&se={quote(end)}&sv={version}&sr=c&sig={quote(signed, safe='')}"


def _ask(method: str, url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> None:
    request = urllib.request.Request(url, data=data, method=method, headers=dict(headers or {}))
    if data is not None and not headers:
        request.add_header("Content-Type", "application/octet-stream")
    urllib.request.urlopen(request, timeout=30).close()


def _new_name() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


def _free_port() -> int:
    return 1 + free_offset([1])


def _nothing(_: object) -> None:
    return None
