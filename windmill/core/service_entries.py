"""The keys of an entry of service_config.json that say where a service is and what it asks of its callers."""

import re
from collections.abc import Mapping
from typing import Any

from windmill.kernels.text.json_readers import Mistake, invalid_value, mapping, rejected_value

ADDRESS_KEYS = frozenset(("url", "urls"))
TLS_KEYS = ("ca", "client_certificate", "client_key")
MAX_ADDRESSES = 100
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TEMPLATE = re.compile(r"[\x20-\x7e]*\$\{[A-Za-z_][A-Za-z0-9_]*\}[\x20-\x7e]*")
_HOW = 'must take its value from a variable, such as "Bearer ${CLIP_KEY}": this file holds no secrets'
# Headers that Windmill sets itself, or that would change how a request ends or is answered.
_OWN_HEADERS = frozenset(
    (
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-request-id",
    )
)


def host_name(value: object, key: str) -> str:
    """A reader for `host`: a name or an address, not a URL."""
    if not isinstance(value, str) or not value.strip():
        raise invalid_value(key, value, "a host name or address")
    if "/" in value or "@" in value:
        written = value if "://" in value and "@" not in value else "https://gpu.example:8443"
        raise rejected_value(key, "***" if "@" in value else value, f'is a URL; write "url": "{written}" instead')
    return value


def header_templates(value: object, key: str) -> tuple[tuple[str, str], ...]:
    """A reader for `headers`. Values are hidden in errors, in case one holds a key after all."""
    names: set[str] = set()
    for name, template in mapping(value, key).items():
        where = f"{key}.{name}"
        if not _HEADER_NAME.fullmatch(name):
            raise rejected_value(where, "***", "is not the name of a header")
        if name.lower() in _OWN_HEADERS:
            raise rejected_value(where, "***", "is a header that Windmill sets itself")
        if name.lower() in names:
            raise rejected_value(where, "***", "appears twice: names of headers do not differ by case")
        if not isinstance(template, str) or not _TEMPLATE.fullmatch(template):
            raise rejected_value(where, "***", _HOW)
        names.add(name.lower())
    return tuple(mapping(value, key).items())


def fitting_defaults(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults without those that the entry replaces by another kind of address."""
    if not ADDRESS_KEYS.isdisjoint(own):
        dropped = ADDRESS_KEYS | {"host", "port"}
    else:
        dropped = ADDRESS_KEYS if "port" in own else frozenset()
    return {key: value for key, value in shared.items() if key not in dropped}


def address_mistakes(own: Mapping[str, Any], read: Mapping[str, Any], where: str) -> list[Mistake]:
    """Mistakes in how the keys of an entry go together: `own` are its keys, `read` the values with the defaults."""
    urls = read.get("urls", ()) if "urls" in read else [read["url"]] if "url" in read else []
    path = read.get("path", "")
    rules = [
        ("url", own.keys() >= ADDRESS_KEYS, "and urls exclude each other"),
        ("urls", "urls" in read and not urls, "must name a URL at least"),
        ("urls", len(urls) > MAX_ADDRESSES, f"must name at most {MAX_ADDRESSES} URLs"),
        ("urls", len(set(urls)) < len(urls), "names an address twice"),
        ("url", any(path and url.prefix.endswith(path.rstrip("/") or "\0") for url in urls), _already(path)),
        *((key, bool(urls) and key in own, "goes into the URL, if there is one") for key in ("host", "port")),
        *((key, key in own and not any(url.tls for url in urls), "is used with https URLs only") for key in TLS_KEYS),
        ("client_key", "client_key" in read and "client_certificate" not in read, "needs a client_certificate"),
    ]
    return [Mistake(f"{where}.{key}", "", message) for key, wrong, message in rules if wrong]


def _already(path: str) -> str:
    return f"must end before the path {path}, which is appended to it (the key path names another one)"
