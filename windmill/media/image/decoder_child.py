"""The child process that decodes images: python -m windmill.media.image.decoder_child MEMORY CPU_SECONDS PIXELS

It reads requests from standard input and ends with it. Its memory is bounded, and the CPU seconds of each request: at
these bounds it fails or is killed by the kernel, and harms nobody else. It has no secrets in its environment and writes
no files.
"""

import math
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

from windmill.core.errors import WindmillError, unexpected
from windmill.core.memory_kills import be_the_first_to_go
from windmill.media.image.crops import cut_crops
from windmill.media.image.decode_check import fault_of_image
from windmill.media.image.decoder_frames import OUT_OF_MEMORY, error_as_document, read_frame, write_frame
from windmill.media.image.hashing import hash_picture
from windmill.media.image.reencode import reencode, thumbnail

Answer = tuple[dict[str, Any], bytes]


def answer(document: dict[str, Any], body: bytes, max_pixels: int, max_memory: int) -> Answer:
    """The answer to one request: `what` is to be done, and its arguments."""
    tasks: dict[str, Callable[[], Answer]] = {
        "check": lambda: _check(body, max_pixels, max_memory),
        "reencode": lambda: _reencode(document, body, max_pixels, max_memory),
        "thumbnail": lambda: _thumbnail(document, body, max_pixels, max_memory),
        "crop": lambda: _crop(document, body, max_pixels, max_memory),
        "hash": lambda: _hash(body, max_pixels, max_memory),
    }
    try:
        return tasks[document["what"]]()
    except WindmillError as error:
        return {"error": error_as_document(error)}, b""
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - nobody reads what this process writes elsewhere
        return {"error": error_as_document(unexpected(error))}, b""


def _check(body: bytes, max_pixels: int, max_memory: int) -> Answer:
    fault = fault_of_image(body, max_pixels, max_memory)
    return {"error": error_as_document(fault)} if fault else {}, b""


def _reencode(document: dict[str, Any], body: bytes, max_pixels: int, max_memory: int) -> Answer:
    made = reencode(body, max_pixels=max_pixels, max_bytes=document["max_bytes"], max_memory=max_memory)
    return {"size": made.size, "image_size": made.image_size}, made.jpeg


def _thumbnail(document: dict[str, Any], body: bytes, max_pixels: int, max_memory: int) -> Answer:
    return {}, thumbnail(body, side=document["side"], max_pixels=max_pixels, max_memory=max_memory)


def _crop(document: dict[str, Any], body: bytes, max_pixels: int, max_memory: int) -> Answer:
    boxes = [box and {"merged_bbox": box} for box in document["boxes"]]
    crops = cut_crops(body, boxes, max_pixels=max_pixels, max_bytes=document["max_bytes"], max_memory=max_memory)
    listed = [crop and [*crop.place, len(crop.jpeg)] for crop in crops]
    return {"crops": listed}, b"".join(crop.jpeg for crop in crops if crop)


def _hash(body: bytes, max_pixels: int, max_memory: int) -> Answer:
    made = hash_picture(body, max_pixels=max_pixels, max_memory=max_memory)
    return {"phash": made.phash, "size": (made.width, made.height)}, b""


def _bound_cpu(seconds: int) -> None:
    """From now on, at most so many seconds. The limit of a process counts from its start."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(used.ru_utime + used.ru_stime) + seconds
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (until if hard == resource.RLIM_INFINITY else min(until, hard), hard))


def _unbound_cpu() -> None:
    """Reading the next image must not be charged to the seconds of the last one."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))


def main(max_memory: int, cpu_seconds: int, max_pixels: int) -> None:
    # Ctrl-C and a service manager signal all processes of a group; the parent still needs answers then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    be_the_first_to_go()
    resource.setrlimit(resource.RLIMIT_AS, (max_memory, max_memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a library prints must not get between the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        while True:
            request = read_frame(sys.stdin.buffer)
            _bound_cpu(cpu_seconds)
            write_frame(answers, *answer(*request, max_pixels, max_memory))
            _unbound_cpu()
            del request
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except (EOFError, BrokenPipeError):
        os._exit(0)  # the parent has gone; nobody waits for what is buffered


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
