"""Decodes images in child processes of bounded memory and CPU time.

Images come from strangers. A file of 34 bytes can ask for gigabytes, one of 66 kB for minutes, and decoders have bugs:
all that ends with the child, whose image gets an error, while other images go on in another child.
"""

import asyncio
import logging
import signal
from collections.abc import Sequence
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.log_throttle import Throttle
from windmill.core.setting_parts import ImageSettings
from windmill.kernels.boxes.crop_regions import Rectangle, box_numbers
from windmill.media.image.crops import MAX_BYTES, Crop
from windmill.media.image.decoder_frames import OUT_OF_MEMORY
from windmill.media.image.decoder_process import DecoderChild, DecoderDied
from windmill.media.image.hashing import PictureHash
from windmill.media.image.reencode import Reencoded

logger = logging.getLogger(__name__)

CHILDREN = 2
IDLE_SECONDS = 60.0
WALL_PER_CPU_SECOND = 30.0
"""How long a request may take on a busy machine for each CPU second that it may use."""
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP)

Answer = tuple[dict[str, Any], bytes]


class ImageDecoder:
    """Up to two children, started when the first image has to be decoded, and ended when none had to be for a while.

    A process that only passes on the bytes of images starts none.
    """

    def __init__(
        self,
        settings: ImageSettings,
        *,
        idle_seconds: float = IDLE_SECONDS,
        wall_per_cpu_second: float = WALL_PER_CPU_SECOND,
    ) -> None:
        self._settings = settings
        self._idle_seconds = idle_seconds
        self._seconds = settings.decode_cpu_seconds * wall_per_cpu_second
        self._free = asyncio.Semaphore(CHILDREN)
        self._idle: list[DecoderChild] = []
        self._children: set[DecoderChild] = set()
        self._retire: asyncio.TimerHandle | None = None
        self._closed = False
        self._throttle = Throttle()

    @property
    def pids(self) -> list[int]:
        """The children that run."""
        return sorted(child.pid for child in self._children if child.pid)

    async def __aenter__(self) -> "ImageDecoder":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        if self._retire:
            self._retire.cancel()
        self._end_idle()
        for child in self._children:
            child.kill()

    async def fault_of(self, image: bytes) -> WindmillError | None:
        """IMAGE_UNREADABLE or IMAGE_TOO_LARGE if the image is at fault; None if it decodes, or if nobody can tell."""
        try:
            await self._ask({"what": "check"}, image)
        except WindmillError as error:
            if error.code.startswith("IMAGE_") and error.retry == "never":
                return error
            if admitted := self._throttle.admit(error.code):
                logger.warning("an image could not be checked", extra={"reason": str(error), **admitted.extra()})
        return None

    async def reencode(self, image: bytes, max_bytes: int) -> Reencoded:
        """An upright JPEG of at most `max_bytes`."""
        document, jpeg = await self._ask({"what": "reencode", "max_bytes": max_bytes}, image)
        return Reencoded(jpeg, _size(document["size"]), _size(document["image_size"]))

    async def thumbnail(self, image: bytes, side: int) -> bytes:
        """An upright JPEG, neither wider nor higher than `side`."""
        _, jpeg = await self._ask({"what": "thumbnail", "side": side}, image)
        return jpeg

    async def hash(self, image: bytes) -> PictureHash:
        """The perceptual hash of the upright picture, and its size."""
        document, _ = await self._ask({"what": "hash"}, image)
        return PictureHash(document["phash"], *_size(document["size"]))

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

    async def _ask(self, document: dict[str, Any], image: bytes) -> Answer:
        if len(image) > self._settings.decode_memory_bytes // 2:
            raise _out_of_memory()
        async with self._free:
            try:
                answer, body = await self._ask_child(document, image)
            except DecoderDied as died:
                if died.status in (-signal.SIGXCPU, OUT_OF_MEMORY):
                    raise self._verdict(died) from died
                # It may have been killed for another's sake, or while it was idle: one more child decides.
                answer, body = await self._ask_last_child(document, image)
        if error := answer.get("error"):
            raise WindmillError(error["code"], error["message"], error["remedy"], error["retry"])
        return answer, body

    async def _ask_last_child(self, document: dict[str, Any], image: bytes) -> Answer:
        try:
            return await self._ask_child(document, image, fresh=True)
        except DecoderDied as died:
            raise self._verdict(died) from died

    async def _ask_child(self, document: dict[str, Any], image: bytes, *, fresh: bool = False) -> Answer:
        if self._closed:
            raise WindmillError("DEFECT", "the image decoder was closed")
        child = self._idle.pop() if self._idle and not fresh else DecoderChild(self._settings)
        self._children.add(child)
        try:
            async with asyncio.timeout(self._seconds):
                answer = await asyncio.to_thread(child.ask, document, image)
        except TimeoutError as error:
            self._drop(child)
            said = f"the image was not decoded in {self._seconds:g} s, as on an overloaded machine"
            raise WindmillError("IMAGE_TOO_LARGE", said, "give the machine less to do", retry="later") from error
        except BaseException:
            self._drop(child)
            raise
        self._idle.append(child)
        self._retire_later()
        return answer

    def _verdict(self, died: DecoderDied) -> WindmillError:
        """What becomes of an image whose decoding a child did not survive."""
        status = died.status
        if status == OUT_OF_MEMORY:
            return _out_of_memory()
        if status == -signal.SIGXCPU:
            said = f"decoding the image takes more than DECODE_CPU_SECONDS={self._settings.decode_cpu_seconds}"
            remedy = "save the image anew or shrink it, or raise DECODE_CPU_SECONDS"
            return WindmillError("IMAGE_TOO_LARGE", said, remedy)
        if status == -signal.SIGKILL:
            said = "decoding the image was killed twice, as happens when the machine has no memory left"
            return WindmillError("IMAGE_TOO_LARGE", said, "give the machine memory, or shrink the image", retry="later")
        if status is not None and -status in _CRASHES:
            name = signal.Signals(-status).name
            return WindmillError("IMAGE_UNREADABLE", f"the image crashes its decoder ({name})")
        return WindmillError("DEFECT", f"the image decoder does not run: it ended with status {status}")

    def _drop(self, child: DecoderChild) -> None:
        """The thread that asks it, if there is one, frees what is left."""
        child.kill()
        self._children.discard(child)

    def _retire_later(self) -> None:
        if self._retire:
            self._retire.cancel()
        self._retire = asyncio.get_running_loop().call_later(self._idle_seconds, self._end_idle)

    def _end_idle(self) -> None:
        while self._idle:
            child = self._idle.pop()
            self._children.discard(child)
            child.close()


def _out_of_memory() -> WindmillError:
    said = "decoding the image takes more memory than DECODE_MEMORY_BYTES"
    return WindmillError("IMAGE_TOO_LARGE", said, "shrink the image, or raise DECODE_MEMORY_BYTES")


def _size(listed: list[int]) -> tuple[int, int]:
    return listed[0], listed[1]
