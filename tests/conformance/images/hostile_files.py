"""Files that are made to harm whoever decodes them."""

import io
import random
import struct
import zlib

from PIL import Image


def picture(form: str = "JPEG", size: tuple[int, int] = (80, 60), orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    pixels = random.Random(7).randbytes(size[0] * size[1] * 3)
    Image.frombytes("RGB", size, pixels).save(file, form, exif=exif)
    return file.getvalue()


def png(width: int, height: int, pixels: bytes) -> bytes:
    """A PNG of one byte a pixel."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)


def flat_png(side: int) -> bytes:
    """Many pixels in few bytes."""
    return png(side, side, bytes((side + 1) * side))


def jpeg_of_many_scans(scans: int, side: int) -> bytes:
    """A progressive JPEG whose last scan is repeated: each costs as much as a whole image, for a few bytes."""
    file = io.BytesIO()
    Image.new("L", (side, side), 128).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
