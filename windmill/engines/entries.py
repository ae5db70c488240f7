"""The entries of `engines` in service_config.json, one type for each kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from windmill.core.service_urls import ServiceUrl

BodyForm = Literal["multipart", "raw", "json", "base64", "audio", "transcription"]
Signature = Literal["", "aws"]
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ModelFile:
    """A file with a model that an engine needs: where it is, what it must be, and what its licence is."""

    file: str
    sha256: str = ""
    licence: str = ""
    acknowledged_by: str = ""
    """Who has agreed to use it although its licence is not known."""


@dataclass(frozen=True, kw_only=True)
class CommonEntry:
    """What the entries of all kinds have."""

    concurrency: int = 1
    timeout_seconds: float = 300.0
    models: tuple[ModelFile, ...] = ()
    models_folder: str = ""
    """The folder that the files of the models are named in."""
    tasks: tuple[str, ...] = ()
    """What it can do, of the tasks that presets name; empty for whatever it is asked."""
    version: str = ""
    """As long as it stays, equal requests give equal results, which may be used again. Empty: nobody says so."""


@dataclass(frozen=True, kw_only=True)
class BuiltinEntry(CommonEntry):
    """The engine that draws without a model."""

    version: str = "1"


@dataclass(frozen=True, kw_only=True)
class ProcessEntry(CommonEntry):
    """A program on this machine."""

    command: tuple[str, ...]
    keep_alive: bool = False
    """Whether it stays alive and takes requests as lines of JSON."""
    parameters: tuple[str, ...] = ()
    """The parameters that it takes besides prompt, style and seed."""
    memory_bytes: int = 0
    """What it and all that it starts may take; 0 for any amount."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What the variables in its environment stand for; no error shows it."""


@dataclass(frozen=True, kw_only=True)
class RemoteEntry(CommonEntry):
    """A server."""

    url: ServiceUrl
    headers: Headers = field(default=(), repr=False)
    ca: str = ""
    client_certificate: str = ""
    client_key: str = ""
    max_response_bytes: int = 1_073_741_824


@dataclass(frozen=True, kw_only=True)
class HttpEntry(RemoteEntry):
    """A server that takes POST /infer."""

    urls: tuple[ServiceUrl, ...] = ()
    """Its addresses, if there are several; `url` is then the first."""
    path: str = "/infer"
    body: BodyForm = "multipart"
    sign: Signature = ""
    """How requests are signed: with AWS's Signature Version 4, by the AWS_ variables."""
    aws_service: str = "sagemaker"
    aws_region: str = ""
    """Empty for AWS_REGION."""
    shared_folder: str = ""
    """Where storage that the server shares with this machine is mounted here: it may answer with paths below it."""
    download_from: tuple[str, ...] = ()
    """Further hosts that the URLs in its answers may lead to."""
    model: str = ""
    """The model that is asked for with the body `transcription`."""


@dataclass(frozen=True, kw_only=True)
class ComfyUiEntry(RemoteEntry):
    """A ComfyUI server. `graphs` are files with the graph of each task that a preset may name; `checkpoint` takes the
    place of the one that a preset names."""

    graphs: Mapping[str, str] = field(default_factory=dict)
    checkpoint: str = ""


@dataclass(frozen=True, kw_only=True)
class FleetEntry(CommonEntry):
    """The services of the image fleet, through their queues. A service that has not answered an image after
    `timeout_seconds` has failed with it."""

    concurrency: int = 4
    timeout_seconds: float = 3_600.0
    services: tuple[str, ...] = ()
    """Who is asked by a request that names nobody: services and sets; else those whose boxes are merged."""
    window: int = 64
    """So many images of a request are in the queues at once."""
    resubmit_seconds: float = 60.0
    """What was not answered for so long, while the queue of the service is empty, is submitted again."""


@dataclass(frozen=True, kw_only=True)
class AudioEntry(CommonEntry):
    """Small models on this machine that listen."""

    timeout_seconds: float = 7_200.0
    model: str = ""
    """The folder with a Whisper model in the form of CTranslate2; empty for the one of the extra `audio`."""
    voices: str = ""
    """The file with the weights of the voice encoder; empty for that of the package resemblyzer."""
    alike: float = 0.79
    """Two voices that are less alike, where they are most alike, are two speakers."""
    threads: int = 1
    memory_bytes: int = 2_147_483_648


EngineEntry = AudioEntry | BuiltinEntry | ProcessEntry | HttpEntry | ComfyUiEntry | FleetEntry
