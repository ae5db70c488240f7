"""A real S3 server for tests, shared by all processes of a test run, and buckets in it."""

import asyncio
import fcntl
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.store import S3Store

from dev.servers import swift
from dev.servers.instance import Instance
from tests.waiting import wait_until

AT_ONCE = 8


@contextmanager
def running(state: Path, named: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The variables to reach the server; the last of several test runs stops it."""
    servers = Instance(state.resolve(), {"swift": swift})
    state.mkdir(parents=True, exist_ok=True)
    with (state / "in-use").open("w") as in_use:
        fcntl.flock(in_use, fcntl.LOCK_SH)
        try:
            yield servers.up(["swift"], named, lambda _: None)
        finally:
            with suppress(BlockingIOError):
                fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
                servers.down(["swift"], lambda _: None, wipe=True)


class Bucket:
    """A new bucket."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.name = f"test-{uuid.uuid4().hex[:12]}"
        self._variables = variables
        # With the store's own address as that of a bucket, the path of an "object" is the name of a bucket.
        url = obstore.sign(self._store("-", whole=True), "PUT", self.name, timedelta(minutes=1))
        wait_until(lambda: _put(url), what="a bucket")

    def _store(self, bucket: str, *, whole: bool = False) -> S3Store:
        return S3Store(
            bucket,
            endpoint=self._variables["AWS_ENDPOINT_URL"],
            access_key_id=self._variables["AWS_ACCESS_KEY_ID"],
            secret_access_key=self._variables["AWS_SECRET_ACCESS_KEY"],
            region=self._variables["AWS_REGION"],
            virtual_hosted_style_request=whole,
            client_options={"allow_http": True},
        )

    async def fill(self, objects: Mapping[str, bytes]) -> None:
        """Put objects, some at a time."""
        store, room = self._store(self.name), asyncio.Semaphore(AT_ONCE)

        async def put(key: str, data: bytes) -> None:
            async with room:
                await store.put_async(key, data, use_multipart=False)

        await asyncio.gather(*(put(key, data) for key, data in objects.items()))

    def put(self, key: str, data: bytes) -> None:
        self._store(self.name).put(key, data, use_multipart=False)

    async def remove(self, key: str) -> None:
        await self._store(self.name).delete_async(key)


def _put(url: str) -> bool:
    """False if the store asks to try again, as Swift does when its parts are slow to hear each other."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, data=b"", method="PUT"), timeout=30).close()
    except urllib.error.HTTPError as error:
        if error.code == 503:
            return False
        raise
    return True
