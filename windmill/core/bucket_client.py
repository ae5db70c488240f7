"""The clients of object stores and WebDAV servers: how one is opened with the settings, and what its errors say.

The client, obstore, is an extra, and is loaded when a store is opened.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, cast

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import StoreSettings
from windmill.kernels.net.store_urls import StoreUrl

if TYPE_CHECKING:
    from obstore.store import (
        AzureConfig,
        AzureStore,
        ClientConfig,
        GCSConfig,
        GCSStore,
        HTTPStore,
        RetryConfig,
        S3Config,
        S3Store,
    )

    BucketClient = S3Store | GCSStore | AzureStore
    StoreClient = BucketClient | HTTPStore

CONNECT_SECONDS = 5
_NOBODY = {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
"""An account for an emulator of Google Cloud Storage."""
_WORD = re.compile(r"<Code>(\w{1,60})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")


def open_store(settings: StoreSettings, url: StoreUrl, seconds: float, tries: int) -> "StoreClient":
    """The client of the bucket, container or server that an address begins with; nothing is asked of it yet. Each
    request may take so many seconds. Raises CONFIG_INVALID, and jobs wait until that is mended."""
    kind = STORES[url.scheme]
    try:
        return kind.open(settings, url, seconds, tries)
    except ImportError as error:
        said = f"{url.scheme}://{url.bucket} is reached by obstore, which is not installed"
        raise WindmillError("CONFIG_INVALID", said, "pip install obstore", retry="pause") from error
    except Exception as error:
        # It may quote a key or a file with one.
        said = f"{url.scheme}://{url.bucket} cannot be opened with its settings"
        raise WindmillError("CONFIG_INVALID", said, f"correct {kind.account}", retry="pause") from error


def _open_amazon(settings: StoreSettings, url: StoreUrl, seconds: float, tries: int) -> "S3Store":
    from obstore.store import S3Store

    named = {
        "endpoint": settings.aws_endpoint_url,
        "access_key_id": settings.aws_access_key_id,
        "secret_access_key": settings.aws_secret_access_key,
        "session_token": settings.aws_session_token,
        "skip_signature": settings.aws_skip_signature,
    }
    return S3Store(
        url.bucket,
        region=settings.aws_region,
        config=cast("S3Config", _set(named)),
        client_options=_client(settings.aws_endpoint_url, seconds),
        retry_config=_retries(seconds, tries),
    )


def _open_google(settings: StoreSettings, url: StoreUrl, seconds: float, tries: int) -> "GCSStore":
    from obstore.store import GCSStore

    emulator = settings.storage_emulator_host
    named = {
        "base_url": emulator,
        "application_credentials": "" if emulator else settings.google_application_credentials,
        # An emulator knows no account, and its requests are not signed. For those that write, the client wants one
        # anyway, unless an account says that it asks nobody for a token.
        "skip_signature": settings.google_skip_signature or bool(emulator),
        "service_account_key": json.dumps(_NOBODY) if emulator else "",
    }
    return GCSStore(
        url.bucket,
        config=cast("GCSConfig", _set(named)),
        client_options=_client(emulator, seconds),
        retry_config=_retries(seconds, tries),
    )


def _open_azure(settings: StoreSettings, url: StoreUrl, seconds: float, tries: int) -> "AzureStore":
    from obstore.store import AzureStore

    named = {
        "account_name": settings.azure_storage_account_name,
        "account_key": settings.azure_storage_account_key,
        "sas_key": settings.azure_storage_sas_token,
        "endpoint": settings.azure_storage_endpoint,
        "skip_signature": settings.azure_skip_signature,
    }
    return AzureStore(
        url.bucket,
        config=cast("AzureConfig", _set(named)),
        client_options=_client(settings.azure_storage_endpoint, seconds),
        retry_config=_retries(seconds, tries),
    )


def _open_webdav(settings: StoreSettings, url: StoreUrl, seconds: float, tries: int) -> "HTTPStore":
    from obstore.store import HTTPStore

    server = f"http{'s' * (url.scheme == 'davs')}://{url.bucket}/"
    options = _client(server, seconds)
    if settings.webdav_user:
        account = base64.b64encode(f"{settings.webdav_user}:{settings.webdav_password}".encode()).decode()
        options["default_headers"] = {"Authorization": f"Basic {account}"}
    return HTTPStore(
        server,
        client_options=options,
        retry_config=_retries(seconds, tries),
    )


class StoreKind(NamedTuple):
    """How a store of one scheme is opened, and which settings are its address and its account."""

    open: "Callable[[StoreSettings, StoreUrl, float, int], StoreClient]"
    account: str


_WEBDAV = StoreKind(_open_webdav, "the server's name, WEBDAV_USER and WEBDAV_PASSWORD")
STORES: Mapping[str, StoreKind] = {
    "s3": StoreKind(_open_amazon, "AWS_ENDPOINT_URL and the account in the AWS_ settings"),
    "gs": StoreKind(_open_google, "GOOGLE_APPLICATION_CREDENTIALS"),
    "az": StoreKind(_open_azure, "the AZURE_STORAGE_ settings"),
    "dav": _WEBDAV,
    "davs": _WEBDAV,
}


def _set(named: Mapping[str, object]) -> dict[str, object]:
    """What is set: an empty value would hide what the platform lends."""
    return {key: value for key, value in named.items() if value}


def _client(endpoint: str, seconds: float) -> "ClientConfig":
    return {
        "allow_http": endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "timeout": timedelta(seconds=seconds),
    }


def _retries(seconds: float, tries: int) -> "RetryConfig":
    return {"max_retries": tries, "retry_timeout": timedelta(seconds=seconds)}


def store_word(error: Exception) -> str:
    """The store's own word for what is wrong, else the status of the answer, else nothing."""
    found = _WORD.search(str(error)) or _STATUS.search(str(error))
    return found[1] if found else ""
