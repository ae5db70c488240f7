"""Reading a whole request body into form fields and one uploaded file. Pure."""

import json
from dataclasses import dataclass, field
from email.message import Message
from email.parser import HeaderParser
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Upload:
    """A file part of a multipart form."""

    filename: str
    data: bytes


@dataclass(frozen=True)
class Form:
    """Fields and file of a POST; empty if the body is not a form."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)


def parse_body(content_type: str, body: bytes) -> Form:
    """The form in a body, by its content type: multipart, urlencoded or a JSON object of strings."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary("")
    if header.get_content_maintype() == "multipart" and boundary:
        return _multipart(boundary.encode(), body)
    if header.get_content_type() == "application/x-www-form-urlencoded":
        return Form(dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)))
    if header.get_content_type() == "application/json":
        return Form(_json_strings(body))
    return Form()


def _multipart(boundary: bytes, body: bytes) -> Form:
    form = Form()
    # The first delimiter has no line break before it; giving it one makes all delimiters alike.
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:]:
        if part.startswith(b"--"):
            break
        head, separator, content = part.partition(b"\r\n\r\n")
        if separator:
            _add_part(form, head, content)
    return form


def _add_part(form: Form, head: bytes, content: bytes) -> None:
    headers = HeaderParser().parsestr(head.decode("utf-8", "replace").lstrip())
    name = str(headers.get_param("name", "", "content-disposition"))
    filename = headers.get_param("filename", None, "content-disposition")
    if filename is not None:
        form.files.setdefault(name, Upload(headers.get_filename(""), content))
    elif name:
        form.fields.setdefault(name, content.decode("utf-8", "replace"))


def _json_strings(body: bytes) -> dict[str, str]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(document, dict):
        return {}
    return {key: value for key, value in document.items() if isinstance(value, str)}
