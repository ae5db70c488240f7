"""A virtual host of RabbitMQ for one benchmark: deleting it deletes everything that the libraries declared."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote

import requests

from windmill.core.settings import Settings

ASK_SECONDS = 30.0
EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}


@contextmanager
def own_virtual_host(environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The variables of the same fleet in a virtual host that is deleted afterwards."""
    settings = Settings.from_env(environ)
    name = f"bench_{uuid.uuid4().hex[:8]}"
    _ask(settings, "PUT", f"vhosts/{name}")
    try:
        _ask(settings, "PUT", f"permissions/{name}/{quote(settings.queue_user, safe='')}", EVERYTHING)
        yield {**environ, "QUEUE_VHOST": name}
    finally:
        _ask(settings, "DELETE", f"vhosts/{name}")


def _ask(settings: Settings, method: str, path: str, document: object = None) -> None:
    url = f"http://{settings.queue_host}:{settings.queue_management_port}/api/{path}"
    account = (settings.queue_user, settings.queue_password)
    requests.request(method, url, json=document, auth=account, timeout=ASK_SECONDS).raise_for_status()
