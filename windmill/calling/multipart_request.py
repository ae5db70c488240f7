"""The bytes of HTTP requests to services: a multipart/form-data POST that carries an image, and a GET that names one.

Nothing that comes with an image gets in here unquoted. Each request has an id (X-Request-Id).
"""

import uuid
from collections.abc import Iterable, Sequence
from urllib.parse import quote

Headers = Iterable[tuple[str, str]]

# One boundary for the life of the process, so that everything around the image is built once.
_BOUNDARY = uuid.uuid4().hex
_PROCESS = uuid.uuid4().hex[:16].encode()
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


def request_id(number: int) -> bytes:
    """The id of a request of this process, which a service may send back in its reply."""
    return b"%s-%d" % (_PROCESS, number)


def answers_another_request(echoed: bytes | None, own: bytes) -> bool:
    """Whether a reply carries the id of another request of this process. A gateway that sends an id of its own making
    says nothing about that."""
    return echoed is not None and echoed != own and echoed.startswith(_PROCESS)


def post_head(target: str, authority: str, headers: Headers = ()) -> bytes:
    """The head of each upload to a service, up to where its id goes."""
    kind = f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\nX-Request-Id: "
    return (_head("POST", target, authority, headers) + kind).encode("latin-1")


def post_request(head: bytes, number: bytes, image: bytes) -> Sequence[bytes]:
    """An upload: a head from `post_head` with the id of the request, and the form."""
    rest = b"%s%s\r\nContent-Length: %d\r\n\r\n"
    return (rest % (head, number, len(image) + MULTIPART_OVERHEAD), *multipart_body(image))


def get_request(target: str, authority: str, number: bytes, image_url: str, headers: Headers = ()) -> bytes:
    """A request to fetch the image at a URL and to look at it."""
    separator = "&" if "?" in target else "?"
    head = _head("GET", f"{target}{separator}url={quote(image_url, safe='')}", authority, headers)
    return head.encode("latin-1") + b"X-Request-Id: %s\r\n\r\n" % number


def _head(method: str, target: str, authority: str, headers: Headers) -> str:
    """The request line and the headers that all requests share."""
    accept = "Accept: application/json\r\nAccept-Encoding: identity\r\n"
    own = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{method} {target} HTTP/1.1\r\nHost: {authority}\r\n{accept}User-Agent: windmill\r\n{own}"
