"""The bodies that the services send, byte for byte as Flask would write them. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
HTML = "text/html; charset=utf-8"

_HTML_PAGES = {
    404: (
        "Not Found",
        "The requested URL was not found on the server. If you entered the URL manually "
        "please check your spelling and try again.",
    ),
    405: ("Method Not Allowed", "The method is not allowed for the requested URL."),
    500: (
        "Internal Server Error",
        "The server encountered an internal error and was unable to complete your request.",
    ),
}


@dataclass(frozen=True)
class StandInReply:
    """An HTTP reply that is not sent yet."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """The request ends here with this status and this message in the service's error envelope."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def dumps(document: object) -> bytes:
    """JSON as Flask writes it: sorted keys, ASCII only, a newline at the end, and NaN left bare."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii") + b"\n"


def json_reply(status: int, document: object) -> StandInReply:
    return StandInReply(status, dumps(document))


def html_page(status: int, headers: Mapping[str, str] | None = None) -> StandInReply:
    """The page of an unknown path, a wrong method or a crash outside every handler."""
    title, text = _HTML_PAGES[status]
    page = f"<!doctype html>\n<html lang=en>\n<title>{status} {title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n"
    return StandInReply(status, page.encode("ascii"), HTML, headers or {})


def flask_handler_error() -> StandInReply:
    """The second error shape: `error` is a string and there is neither a service nor predictions."""
    return json_reply(500, {"error": "Internal server error", "status": "error"})


def success(name: str, predictions: list[dict[str, Any]], metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {"service": name, "status": "success", "predictions": predictions, "metadata": metadata}


def error(name: str, message: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "service": name,
        "status": "error",
        "predictions": [],
        "error": {"message": message},
        "metadata": metadata,
    }


def score_success(name: str, score: float, caption: str, source: str, metadata: object) -> dict[str, Any]:
    return {
        "service": name,
        "status": "success",
        "similarity_score": score,
        "caption": caption,
        "image_source": source,
        "metadata": metadata,
    }


def score_error(name: str, message: str, metadata: object) -> dict[str, Any]:
    return {
        "service": name,
        "status": "error",
        "similarity_score": None,
        "error": {"message": message},
        "metadata": metadata,
    }
