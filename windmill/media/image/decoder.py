"""Decodes images in child processes of bounded memory and CPU time.

Images come from strangers. A file of 34 bytes can ask for gigabytes, one of 66 kB for minutes, and decoders have bugs:
all that ends with the child, whose image gets an error, while other images go on in another child.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import windmill
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import ImageSettings
from windmill.kernels.boxes.crop_regions import Rectangle, box_numbers
from windmill.media.image.crops import MAX_BYTES, Crop
from windmill.media.image.decoder_frames import read_frame, write_frame
from windmill.media.image.reencode import Reencoded

CHILDREN = 2
IDLE_SECONDS = 60.0
WALL_PER_CPU_SECOND = 30.0
"""How long a request may take on a busy machine for each CPU second that it may use."""
_HARMLESS_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT")


class DecoderDied(Exception):
    """The child ended before it had answered; `status` is its exit status, negative for a signal."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the decoder ended with status {status}")
        self.status = status


class DecoderChild:
    """A child process. Its methods block, so they are called in threads; `kill` may be called meanwhile."""

    def __init__(self, settings: ImageSettings) -> None:
        limits = settings.decode_memory_bytes, settings.decode_cpu_seconds, settings.max_image_pixels
        self._process = subprocess.Popen(
            [sys.executable, "-m", "windmill.media.image.decoder_child", *map(str, limits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, document: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """The child's answer; raises DecoderDied."""
        try:
            write_frame(_pipe(self._process.stdin), document, body)
            return read_frame(_pipe(self._process.stdout))
        except (OSError, ValueError, EOFError) as error:
            self._process.kill()
            raise DecoderDied(self._process.wait()) from error

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """Kill it, and free what the kernel holds for it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                _pipe(pipe).close()
            except OSError:  # what was left to be written
                continue


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe
    return pipe


def _environment() -> dict[str, str]:
    """Without passwords. The package is found also when it is not installed."""
    kept = {name: os.environ[name] for name in _HARMLESS_VARIABLES if name in os.environ}
    return kept | {"PYTHONPATH": str(Path(windmill.__file__).parent.parent), "PYTHONDONTWRITEBYTECODE": "1"}


class ImageDecoder:
    """Up to two children, started when the first image has to be decoded, and ended when none had to be for a while.

    A process that only passes on the bytes of images starts none.
    """

    def __init__(self, settings: ImageSettings, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._settings = settings
        self._idle_seconds = idle_seconds
        self._seconds = settings.decode_cpu_seconds * WALL_PER_CPU_SECOND
        self._free = asyncio.Semaphore(CHILDREN)
        self._idle: list[DecoderChild] = []
        self._children: set[DecoderChild] = set()
        self._retire: asyncio.TimerHandle | None = None

    @property
    def pids(self) -> list[int]:
        """The children that run."""
        return sorted(child.pid for child in self._children)

    async def __aenter__(self) -> "ImageDecoder":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._retire:
            self._retire.cancel()
        for child in list(self._children):
            self._end(child)

    async def fault_of(self, image: bytes) -> WindmillError | None:
        """IMAGE_UNREADABLE or IMAGE_TOO_LARGE if the image is at fault, None if it decodes."""
        try:
            await self._ask({"what": "check"}, image)
        except WindmillError as error:
            if not error.code.startswith("IMAGE_"):
                raise
            return error
        return None

    async def reencode(self, image: bytes, max_bytes: int) -> Reencoded:
        """An upright JPEG of at most `max_bytes`."""
        document, jpeg = await self._ask({"what": "reencode", "max_bytes": max_bytes}, image)
        return Reencoded(jpeg, _size(document["size"]), _size(document["image_size"]))

    async def crop(self, image: bytes, boxes: Sequence[object], max_bytes: int = MAX_BYTES) -> list[Crop | None]:
        """A crop for each merged box (None for a box outside the image): at least the first, and as many as fit into
        `max_bytes`."""
        if not boxes:
            return []
        numbers = [box_numbers(box) for box in boxes]
        document, body = await self._ask({"what": "crop", "boxes": numbers, "max_bytes": max_bytes}, image)
        crops: list[Crop | None] = []
        start = 0
        for listed in document["crops"]:
            if listed is None:
                crops.append(None)
                continue
            *place, length = listed
            crops.append(Crop(Rectangle(*place), body[start : start + length]))
            start += length
        return crops

    async def _ask(self, document: dict[str, Any], image: bytes) -> tuple[dict[str, Any], bytes]:
        async with self._free:
            try:
                answer, body = await self._ask_child(document, image)
            except DecoderDied as died:
                if died.status == -signal.SIGXCPU:
                    raise self._too_slow() from died
                # It may have been killed for another's sake, or by the image before: one more child decides.
                answer, body = await self._ask_last_child(document, image)
        if error := answer.get("error"):
            raise WindmillError(error["code"], error["message"], error["remedy"], error["retry"])
        return answer, body

    async def _ask_last_child(self, document: dict[str, Any], image: bytes) -> tuple[dict[str, Any], bytes]:
        try:
            return await self._ask_child(document, image, fresh=True)
        except DecoderDied as died:
            raise self._verdict(died) from died

    async def _ask_child(
        self, document: dict[str, Any], image: bytes, *, fresh: bool = False
    ) -> tuple[dict[str, Any], bytes]:
        child = self._idle.pop() if self._idle and not fresh else await asyncio.to_thread(DecoderChild, self._settings)
        self._children.add(child)
        try:
            async with asyncio.timeout(self._seconds):
                answer = await asyncio.to_thread(child.ask, document, image)
        except TimeoutError as error:
            self._end(child)
            raise self._too_slow() from error
        except BaseException:
            self._end(child)
            raise
        self._idle.append(child)
        self._retire_later()
        return answer

    def _verdict(self, died: DecoderDied) -> WindmillError:
        if died.status == -signal.SIGXCPU:
            return self._too_slow()
        if died.status >= 0:
            return WindmillError("DEFECT", f"the image decoder does not run: it ended with status {died.status}")
        if died.status == -signal.SIGKILL:
            said = "decoding the image was killed twice, as happens when the machine has no memory left"
            return WindmillError("IMAGE_TOO_LARGE", said, "give the machine memory, or shrink the image", retry="later")
        name = signal.Signals(-died.status).name
        return WindmillError("IMAGE_UNREADABLE", f"the image crashes its decoder ({name})")

    def _too_slow(self) -> WindmillError:
        said = f"decoding the image takes more than DECODE_CPU_SECONDS={self._settings.decode_cpu_seconds}"
        return WindmillError("IMAGE_TOO_LARGE", said, "save the image anew or shrink it, or raise DECODE_CPU_SECONDS")

    def _end(self, child: DecoderChild) -> None:
        child.close()
        self._children.discard(child)

    def _retire_later(self) -> None:
        if self._retire:
            self._retire.cancel()
        self._retire = asyncio.get_running_loop().call_later(self._idle_seconds, self._end_idle)

    def _end_idle(self) -> None:
        while self._idle:
            self._end(self._idle.pop())


def _size(listed: list[int]) -> tuple[int, int]:
    return listed[0], listed[1]
