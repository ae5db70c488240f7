"""The settings in groups. A function takes the group that it reads, so its signature shows what it depends on and a
test builds only that; `Settings` inherits from all of them."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from windmill.core.setting_parsers import (
    Concurrency,
    PathParser,
    boolean,
    calls_at_a_time,
    delays,
    emulator,
    endpoint,
    folder_or_store,
    hosts,
    integer,
    names,
    non_empty,
    one_of,
    optional_file,
    own_or_shipped,
    path,
    seconds,
    servers,
    stores,
    text,
)
from windmill.kernels.net.server_addresses import ServerAddress, parse_addresses
from windmill.kernels.net.store_urls import StoreEndpoints, StoreUrl

LogFormat = Literal["text", "json"]
SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
AudioRetention = Literal["keep", "samples", "drop"]
QueueType = Literal["quorum", "classic"]
ModelAdapter = Literal["", "mock", "python", "http"]
SessionAttributes = Literal["", "any", "primary", "read-write"]


def setting(
    default: str, parse: Callable[[str], object] | PathParser, *, secret: bool = False, fallback: str = ""
) -> Any:  # noqa: ANN401 - a field of any type
    """Declare a variable: named as the field in upper case, with its default as written in `.env`. `fallback` is a
    variable of other programs that is read where this one is not set."""
    return field(metadata={"default": default, "parse": parse, "fallback": fallback}, repr=not secret)


@dataclass(frozen=True, kw_only=True)
class FleetSettings:
    """Which services exist, where they listen, and which of them this process works for."""

    service_name: tuple[str, ...] = setting("", names)
    service_config: Path = setting("service_config.json", own_or_shipped)
    service_host: str = setting("", text)
    service_port_offset: int = setting("0", integer(0, 50_000))


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """What the engine `default` is; the others are entries of SERVICE_CONFIG."""

    model_adapter_type: ModelAdapter = setting("", one_of(*get_args(ModelAdapter)))
    python_path: str = setting("python3", non_empty)
    python_script: str = setting("", text)
    model_api_url: str = setting("http://localhost:5000", non_empty)
    model_api_timeout: int = setting("300000", integer(1, 604_800_000))


@dataclass(frozen=True, kw_only=True)
class BrokerSettings:
    """Where RabbitMQ is, how its queues are declared, and how long a publisher waits for a confirmation."""

    queue_host: str = setting("localhost", servers)
    queue_port: int = setting("5672", integer(1, 65_535))
    queue_user: str = setting("guest", non_empty)
    queue_password: str = setting("guest", text, secret=True)
    queue_vhost: str = setting("/", non_empty)
    queue_tls: bool = setting("false", boolean)
    queue_tls_ca: Path | None = setting("", optional_file)
    queue_type: QueueType = setting("quorum", one_of(*get_args(QueueType)))
    queue_prefix: str = setting("queue_", non_empty)
    queue_management_port: int = setting("15672", integer(1, 65_535))
    retry_delays: tuple[float, ...] = setting("5,10,20", delays)
    delivery_limit: int = setting("20", integer(1, 1_000))
    publish_window: int = setting("256", integer(1, 10_000))
    publish_timeout: float = setting("30", seconds(1, 600))

    def queue_servers(self) -> tuple[ServerAddress, ...]:
        """The nodes of the broker; a client connects to any of them."""
        return parse_addresses(self.queue_host, self.queue_port)


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """Where PostgreSQL is and how to log in."""

    db_host: str = setting("localhost", servers)
    db_port: int = setting("5432", integer(1, 65_535))
    db_name: str = setting("windmill", non_empty)
    db_user: str = setting("windmill", non_empty)
    db_password: str = setting("", text, secret=True)
    db_sslmode: SslMode = setting("prefer", one_of("disable", "prefer", "require", "verify-ca", "verify-full"))
    db_sslrootcert: Path | None = setting("", optional_file)
    db_target_session_attrs: SessionAttributes = setting("", one_of(*get_args(SessionAttributes)))

    def db_servers(self) -> tuple[ServerAddress, ...]:
        """The database and its standbys."""
        return parse_addresses(self.db_host, self.db_port)

    def db_session_attributes(self) -> SessionAttributes:
        """The kind of server that a connection must reach."""
        return self.db_target_session_attrs or ("read-write" if len(self.db_servers()) > 1 else "any")


@dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """Which buckets images may be read from, where their stores are and how to log in. Other clients of these stores
    know the names that begin with AWS_, GOOGLE_ and AZURE_, and STORAGE_EMULATOR_HOST."""

    image_store_allow: tuple[str, ...] = setting("", stores)
    aws_endpoint_url: str = setting("", endpoint)
    aws_region: str = setting("us-east-1", non_empty)
    aws_access_key_id: str = setting("", text)
    aws_secret_access_key: str = setting("", text, secret=True)
    aws_session_token: str = setting("", text, secret=True)
    aws_skip_signature: bool = setting("false", boolean)
    google_application_credentials: str = setting("", text)
    google_skip_signature: bool = setting("false", boolean)
    storage_emulator_host: str = setting("", emulator)
    azure_storage_account_name: str = setting("", text, fallback="AZURE_STORAGE_ACCOUNT")
    azure_storage_account_key: str = setting("", text, secret=True, fallback="AZURE_STORAGE_KEY")
    azure_storage_sas_token: str = setting("", text, secret=True)
    azure_storage_endpoint: str = setting("", endpoint)
    azure_skip_signature: bool = setting("false", boolean)
    webdav_user: str = setting("", text)
    webdav_password: str = setting("", text, secret=True)

    def store_endpoints(self) -> StoreEndpoints:
        """Where the buckets are that the accounts are for."""
        return StoreEndpoints(
            self.aws_endpoint_url,
            self.storage_emulator_host,
            self.azure_storage_endpoint,
            self.azure_storage_account_name,
        )


@dataclass(frozen=True, kw_only=True)
class ArtifactSettings(StoreSettings):
    """Where the files lie that jobs make and use."""

    artifacts_url: Path | StoreUrl = setting("var/artifacts", folder_or_store)


@dataclass(frozen=True, kw_only=True)
class PresetSettings:
    """Where a user's own presets lie."""

    presets_dir: Path = setting("var/presets", path)


@dataclass(frozen=True, kw_only=True)
class ImageSettings(ArtifactSettings):
    """Where images may come from and how large they may be."""

    image_root: Path = setting("/", path)
    image_url_allow: tuple[str, ...] = setting("", hosts)
    max_image_bytes: int = setting("33554432", integer(1_024, 1_073_741_824))
    max_image_pixels: int = setting("178956970", integer(1_024, 10_000_000_000))
    shrink_images: bool = setting("true", boolean)
    decode_memory_bytes: int = setting("1073741824", integer(268_435_456, 68_719_476_736))
    decode_cpu_seconds: int = setting("10", integer(1, 600))


@dataclass(frozen=True, kw_only=True)
class FfmpegSettings:
    """Where ffmpeg is."""

    ffmpeg: str = setting("", text)


@dataclass(frozen=True, kw_only=True)
class AudioSettings(FfmpegSettings):
    """How large recordings may be."""

    max_audio_bytes: int = setting("2147483648", integer(1_024, 1_099_511_627_776))
    max_audio_seconds: int = setting("43200", integer(1, 864_000))


@dataclass(frozen=True, kw_only=True)
class VideoSettings(FfmpegSettings):
    """How large videos may be."""

    max_video_bytes: int = setting("10737418240", integer(1_024, 1_099_511_627_776))
    max_video_pixels: int = setting("33177600", integer(1_024, 1_000_000_000))
    max_video_seconds: int = setting("14400", integer(1, 864_000))
    max_video_fps: int = setting("240", integer(1, 1_000))
    max_video_streams: int = setting("16", integer(1, 1_000))
    video_memory_bytes: int = setting("4294967296", integer(268_435_456, 1_099_511_627_776))
    video_child_seconds: int = setting("3600", integer(1, 604_800))
    video_threads: int = setting("0", integer(0, 128))


@dataclass(frozen=True, kw_only=True)
class CallSettings:
    """Calls to services: concurrency, timeout, retries."""

    worker_concurrency: Concurrency = setting("0", calls_at_a_time)
    request_timeout: float = setting("0", seconds(0, 600))
    max_retries: int = setting("3", integer(0, 20))
    canary_seconds: float = setting("60", seconds(0, 86_400))
    max_response_bytes: int = setting("4194304", integer(1_024, 268_435_456))


@dataclass(frozen=True, kw_only=True)
class WriteSettings:
    """How results are batched into one transaction."""

    batch_rows: int = setting("100", integer(1, 1_000))
    batch_milliseconds: int = setting("10", integer(0, 10_000))


@dataclass(frozen=True, kw_only=True)
class DerivationSettings(DatabaseSettings):
    """When derived data is recomputed, how much at a time, and with which constants."""

    calibration: Path = setting("calibration.json", own_or_shipped)
    debounce_milliseconds: int = setting("100", integer(0, 60_000))
    debounce_most_seconds: float = setting("10", seconds(0, 86_400))
    poll_milliseconds: int = setting("50", integer(1, 60_000))
    postprocess_images: int = setting("50", integer(1, 1_000))
    enrich_images: int = setting("4", integer(1, 100))
    lease_seconds: float = setting("60", seconds(1, 3_600))


@dataclass(frozen=True, kw_only=True)
class JobSettings(DatabaseSettings):
    """Which steps of jobs this process runs, how long it may be silent about a task, and how the queue is ordered."""

    steps: tuple[str, ...] = setting("", names)
    task_lease_seconds: float = setting("30", seconds(1, 3_600))
    priority_head_start_seconds: float = setting("600", seconds(0, 1_000_000))
    step_memory_bytes: int = setting("4294967296", integer(268_435_456, 1_099_511_627_776))

    @property
    def transaction_hang_seconds(self) -> float:
        """How long a process may hang in a transaction on jobs: others wait for what it has locked, and have to renew
        their own leases meanwhile."""
        return self.task_lease_seconds / 3


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """The name, logging, metrics and shutdown of a long-running process."""

    worker_id: str = setting("", text)
    shutdown_grace_seconds: float = setting("30", seconds(0, 3_600))
    log_level: str = setting("INFO", one_of("DEBUG", "INFO", "WARNING", "ERROR"))
    log_format: LogFormat = setting("text", one_of(*get_args(LogFormat)))
    metrics_port: int = setting("0", integer(0, 65_535))
    metrics_host: str = setting("0.0.0.0", non_empty)  # noqa: S104 - Prometheus scrapes from another machine

    def worker_name(self) -> str:
        """WORKER_ID, or host and process: unique among the processes that run now."""
        return self.worker_id or f"{socket.gethostname()}-{os.getpid()}"


@dataclass(frozen=True, kw_only=True)
class WebhookSettings(DatabaseSettings):
    """Which private servers may be told of events."""

    webhook_url_allow: tuple[str, ...] = setting("", hosts)


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """The gateway that commands speak to on a machine that is not of the fleet; none on one that is."""

    windmill_url: str = setting("", endpoint)
    windmill_key: str = setting("", text, secret=True)


@dataclass(frozen=True, kw_only=True)
class TalkSettings(DatabaseSettings):
    """What is kept of talk, and for how long a recording may be silent before it counts as abandoned."""

    talk_audio_retention: AudioRetention = setting("keep", one_of(*get_args(AudioRetention)))
    talk_abandoned_hours: int = setting("24", integer(1, 8_760))


@dataclass(frozen=True, kw_only=True)
class GatewaySettings:
    """Where the gateway listens, and how much it takes."""

    gateway_host: str = setting("127.0.0.1", non_empty)
    gateway_port: int = setting("8000", integer(0, 65_535), fallback="PORT")
    gateway_max_upload_bytes: int = setting("209715200", integer(1_024, 1_099_511_627_776))
    gateway_max_resumable_bytes: int = setting("10737418240", integer(1_024, 1_099_511_627_776))
    gateway_requests_per_minute: int = setting("600", integer(1, 10_000_000))
    gateway_generates_per_minute: int = setting("10", integer(1, 10_000_000))
    gateway_uploads_dir: Path = setting("var/uploads", path)
    gateway_streams_per_key: int = setting("20", integer(1, 100_000))
