"""What the history of a ComfyUI server says about a prompt. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from windmill.core.errors import WindmillError
from windmill.engines.comfyui.json_parts import as_list, as_object
from windmill.engines.outputs import bad_output

TEMPORARY = "temp"


@dataclass(frozen=True)
class ServerFile:
    """A file that a node has saved, as /view wants it named."""

    filename: str
    subfolder: str
    type: str

    @property
    def query(self) -> dict[str, str]:
        return {"filename": self.filename, "subfolder": self.subfolder, "type": self.type}


@dataclass(frozen=True)
class Finished:
    """A prompt that has ended, well or not."""

    graph: object
    files: tuple[ServerFile, ...]
    failure: WindmillError | None


def read_history(document: object, prompt_id: str) -> Finished | None:
    """What became of the prompt; None while it waits or runs: the history then does not know it."""
    row = as_object(document).get(prompt_id)
    if not isinstance(row, dict):
        return None
    status, prompt = as_object(row.get("status")), as_list(row.get("prompt"))
    graph = prompt[2] if len(prompt) > 2 else None
    failed = status.get("status_str") == "error" or status.get("completed") is False
    return Finished(graph, tuple(_files(row.get("outputs"))), _failure(status) if failed else None)


def files_to_fetch(finished: Finished) -> tuple[ServerFile, ...]:
    """What it made; previews only if there is nothing else. Raises if there is nothing at all, or if a name leads
    elsewhere."""
    kept = tuple(file for file in finished.files if file.type != TEMPORARY) or finished.files
    if not kept:
        raise bad_output("the prompt succeeded, but saved no file", "add a node that saves to the graph")
    for file in kept:
        if PurePosixPath(file.filename).name != file.filename or "\\" in file.filename or "\0" in file.filename:
            raise bad_output(f"it names the file {file.filename!r:.100}, which leads elsewhere")
    return kept


def is_known(queue: object, prompt_id: str) -> bool:
    """Whether the prompt is in the answer of GET /queue."""
    rows = (as_list(row) for rows in as_object(queue).values() for row in as_list(rows))
    return any(len(row) > 1 and row[1] == prompt_id for row in rows)


def _files(outputs: object) -> Iterator[ServerFile]:
    """Every list of files of every node: pictures, sounds and films are told under names of their own."""
    for node in as_object(outputs).values():
        for files in as_object(node).values():
            for file in map(as_object, as_list(files)):
                if isinstance(file.get("filename"), str):
                    yield ServerFile(
                        file["filename"], str(file.get("subfolder") or ""), str(file.get("type") or "output")
                    )


def _failure(status: Mapping[str, Any]) -> WindmillError:
    """Its messages tell why. Tracebacks stay out: they show paths of the server."""
    messages = map(as_list, as_list(status.get("messages")))
    events = {str(message[0]): as_object(message[1]) for message in messages if len(message) > 1}
    if "execution_interrupted" in events:
        return WindmillError("SERVICE_ERROR", "somebody interrupted the prompt in ComfyUI", "send it again")
    error = events.get("execution_error", {})
    kind = str(error.get("exception_type") or "an error")
    said = f"the node {error.get('node_type')} failed: {kind}: {str(error.get('exception_message') or '').strip()}"
    if kind.rpartition(".")[2] in ("OutOfMemoryError", "OOM_EXCEPTION", "MemoryError"):
        return WindmillError("OUT_OF_MEMORY", said, "ask for a smaller picture or batch, or give ComfyUI --lowvram")
    return WindmillError("SERVICE_ERROR", said, "read ComfyUI's own log")
