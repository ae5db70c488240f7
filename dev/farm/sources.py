"""The picture that a request refers to: an upload, a URL or a path. Pure: nothing is fetched here."""

from collections.abc import Mapping
from dataclasses import dataclass

from dev.farm.contract import DEPRECATED, FRAMEWORK, IMAGE_EXTENSIONS, MAX_BYTES, Traits
from dev.farm.forms import Form
from dev.farm.replies import Refusal

DEFAULT_PROMPT = "Say in one short sentence what this picture shows."


@dataclass(frozen=True)
class Call:
    """A request as the handlers see it."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Form
    body_bytes: int = 0

    def value(self, name: str) -> str | None:
        """A parameter given in the query or, failing that, in the form."""
        return self.query.get(name, self.form.fields.get(name))


@dataclass(frozen=True)
class FromUpload:
    data: bytes


@dataclass(frozen=True)
class FromUrl:
    url: str


@dataclass(frozen=True)
class FromPath:
    path: str


ImageReference = FromUpload | FromUrl | FromPath


def choose_source(call: Call, traits: Traits) -> ImageReference:
    """The one picture that the request names, or a Refusal with the service's own status."""
    if call.method == "POST":
        _refuse_oversize(call.body_bytes, traits)
        if "file" in call.form.files:
            return _upload(call, traits)
        if not traits.post_takes_query:
            raise Refusal(400, _must_provide(traits))
    return _named_source(_modern_query(call), traits)


def scored_source(call: Call, traits: Traits) -> ImageReference:
    """The picture of a `/score` call: a URL or a path, in the query, a form or a JSON body; never an upload."""
    return _named_source({name: call.value(name) or "" for name in ("url", "file")}, traits)


def caption_of(call: Call) -> str:
    caption = (call.value("caption") or "").strip()
    if not caption:
        raise Refusal(400, "Must provide a caption that is not empty")
    return caption


def prompt_of(call: Call) -> dict[str, str]:
    """The prompt of a language model, which it repeats in `model_info`."""
    try:
        float(call.value("temperature") or 0)
    except ValueError as exc:
        raise Refusal(400, str(exc)) from exc
    return {"model": call.value("model") or FRAMEWORK, "prompt": call.value("prompt") or DEFAULT_PROMPT}


def _named_source(query: Mapping[str, str], traits: Traits) -> ImageReference:
    url, path = query.get("url", ""), query.get("file", "")
    if url and path:
        raise Refusal(400, "Give either 'url' or 'file', not both")
    if url:
        return FromUrl(url)
    if path:
        return FromPath(path)
    raise Refusal(400, _must_provide(traits))


def _refuse_oversize(size: int, traits: Traits) -> None:
    """Flask's limit counts the whole body; the services' own looks at the file, a little smaller."""
    if traits.oversize == 500 and size > MAX_BYTES:
        raise Refusal(500, "Internal error: 413 Request Entity Too Large: the body is larger than the service takes.")


def _upload(call: Call, traits: Traits) -> ImageReference:
    upload = call.form.files["file"]
    if not upload.filename:
        raise Refusal(400, "No file selected")
    if traits.demands_extension and not _allowed(upload.filename):
        raise Refusal(400, f"File type not allowed; allowed: {', '.join(sorted(IMAGE_EXTENSIONS))}")
    if len(upload.data) > MAX_BYTES:
        raise Refusal(traits.oversize, "File too large. Maximum size: 8MB")
    return FromUpload(upload.data)


def _allowed(filename: str) -> bool:
    return filename.rpartition(".")[2].lower() in IMAGE_EXTENSIONS and "." in filename


def _modern_query(call: Call) -> Mapping[str, str]:
    """The query of a deprecated path, with current parameter names."""
    old_and_new = DEPRECATED.get(call.path.rstrip("/"))
    if old_and_new is None:
        return call.query
    old, new = old_and_new
    return {new: call.query.get(old, "")}


def _must_provide(traits: Traits) -> str:
    ending = ", or POST a file" if traits.post_takes_query else ""
    return f"Must provide either 'url' or 'file' parameter{ending}"
