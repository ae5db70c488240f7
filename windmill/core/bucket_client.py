"""The client of S3-compatible stores: how one is opened with the AWS_ settings, and what its errors say.

The client, obstore, is an extra, and is loaded when a bucket is opened.
"""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from windmill.core.setting_parts import StoreSettings

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

CONNECT_SECONDS = 5
INSTALL_CLIENT = "pip install obstore"
_WORD = re.compile(r"<Code>(\w{1,60})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")


def open_bucket(settings: StoreSettings, name: str, seconds: float, tries: int) -> "S3Store":
    """The client of one bucket; ImportError if obstore is not installed. Each request may take so many seconds."""
    from obstore.store import S3Store

    named: dict[str, str] = {
        "endpoint": settings.aws_endpoint_url,
        "access_key_id": settings.aws_access_key_id,
        "secret_access_key": settings.aws_secret_access_key,
        "session_token": settings.aws_session_token,
    }
    # An empty one would hide what the platform lends.
    config = cast("S3Config", {key: value for key, value in named.items() if value})
    return S3Store(
        name,
        region=settings.aws_region,
        config=config,
        client_options={
            "allow_http": settings.aws_endpoint_url.startswith("http://"),
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "timeout": timedelta(seconds=seconds),
        },
        retry_config={"max_retries": tries, "retry_timeout": timedelta(seconds=seconds)},
    )


def store_word(error: Exception) -> str:
    """S3's own word for what is wrong, else the status of the answer, else nothing."""
    found = _WORD.search(str(error)) or _STATUS.search(str(error))
    return found[1] if found else ""
