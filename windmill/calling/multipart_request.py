"""The bytes of HTTP requests to services: a multipart/form-data POST that carries an image, and a GET that names one.

Nothing that comes with an image gets in here unquoted.
"""

import uuid
from collections.abc import Sequence
from urllib.parse import quote

# One boundary for the life of the process, so that everything around the image is built once.
_BOUNDARY = uuid.uuid4().hex
_BEFORE_IMAGE = (
    f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="image.jpg"\r\n'
    "Content-Type: image/jpeg\r\n\r\n"
).encode()
_AFTER_IMAGE = f"\r\n--{_BOUNDARY}--\r\n".encode()
MULTIPART_OVERHEAD = len(_BEFORE_IMAGE) + len(_AFTER_IMAGE)
"""Bytes that the multipart form adds to an image."""


def multipart_body(image: bytes) -> Sequence[bytes]:
    """The form that every version of every service accepts: field `file`, file name image.jpg, type JPEG."""
    return (_BEFORE_IMAGE, image, _AFTER_IMAGE)


def post_head(target: str, host: str, port: int) -> bytes:
    """The head of each upload to a service, up to where the number of bytes goes."""
    kind = f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\nContent-Length: "
    return (_head("POST", target, host, port) + kind).encode()


def post_request(head: bytes, image: bytes) -> Sequence[bytes]:
    """An upload: a head from `post_head`, and the form."""
    return (b"%s%d\r\n\r\n" % (head, len(image) + MULTIPART_OVERHEAD), *multipart_body(image))


def get_request(target: str, host: str, port: int, image_url: str) -> bytes:
    """A request to fetch the image at a URL and to look at it."""
    separator = "&" if "?" in target else "?"
    return (_head("GET", f"{target}{separator}url={quote(image_url, safe='')}", host, port) + "\r\n").encode()


def _head(method: str, target: str, host: str, port: int) -> str:
    """The request line and the headers that all requests share."""
    name = f"[{host}]" if ":" in host else host
    accept = "Accept: application/json\r\nAccept-Encoding: identity\r\n"
    return f"{method} {target} HTTP/1.1\r\nHost: {name}:{port}\r\n{accept}User-Agent: windmill\r\n"
