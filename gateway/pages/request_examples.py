"""A request as people write it: with curl, and with the Python client. Pure."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RequestExample:
    """The same request in two ways."""

    curl: str
    python: str


def job_request(base_url: str, body: Mapping[str, Any], *, with_key: bool) -> RequestExample:
    """POST /jobs with this body. A key is named by a variable of the shell, and never written out."""
    url = f"{base_url.rstrip('/')}/jobs"
    document = json.dumps(body, indent=2, ensure_ascii=False)
    lines = [f"curl {url}"]
    lines += ['-H "Authorization: Bearer $WINDMILL_KEY"'] if with_key else []
    lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(document)}"]
    return RequestExample(" \\\n  ".join(lines), _python(base_url.rstrip("/"), body, with_key=with_key))


def _python(base_url: str, body: Mapping[str, Any], *, with_key: bool) -> str:
    given = {name: value for name, value in body.items() if name not in ("preset", "inputs")}
    more = "".join(f", {name}={value!r}" for name, value in given.items())
    key = ', os.environ["WINDMILL_KEY"]' if with_key else ""
    return (
        f"{'import os' + chr(10) if with_key else ''}from windmill.client import Client\n\n"
        f"with Client({base_url!r}{key}) as windmill:\n"
        f"    job = windmill.submit({body['preset']!r}, {dict(body['inputs'])!r}{more})\n"
        f'    windmill.wait(job["public_id"])\n'
    )
