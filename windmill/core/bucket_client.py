"""The clients of object stores and WebDAV servers: how one is opened with the settings, and what its errors say.

The client, obstore, is an extra, and is loaded when a store is opened.
"""

import base64
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, cast

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

    ImageStore = S3Store | GCSStore | AzureStore | HTTPStore

CONNECT_SECONDS = 5
INSTALL_CLIENT = "pip install obstore"
_WORD = re.compile(r"<Code>(\w{1,60})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")


def open_store(settings: StoreSettings, url: StoreUrl, seconds: float, tries: int) -> "ImageStore":
    """The client of the bucket, container or server that an address begins with."""
    if url.scheme == "s3":
        return open_bucket(settings, url.bucket, seconds, tries)
    if url.scheme == "gs":
        return _open_google(settings, url, seconds, tries)
    if url.scheme == "az":
        return _open_azure(settings, url, seconds, tries)
    return _open_webdav(settings, url, seconds, tries)


def open_bucket(settings: StoreSettings, name: str, seconds: float, tries: int) -> "S3Store":
    """The client of one bucket; ImportError if obstore is not installed. Each request may take so many seconds."""
    from obstore.store import S3Store

    named = {
        "endpoint": settings.aws_endpoint_url,
        "access_key_id": settings.aws_access_key_id,
        "secret_access_key": settings.aws_secret_access_key,
        "session_token": settings.aws_session_token,
        "skip_signature": settings.aws_skip_signature,
    }
    return S3Store(
        name,
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
        "application_credentials": settings.google_application_credentials,
        # An emulator knows no account, and its requests are not signed.
        "skip_signature": settings.google_skip_signature or bool(emulator),
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
