"""The graph of a request: its own, or the one that the entry of the engine has for its task."""

from collections.abc import Mapping
from pathlib import Path

import orjson

from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineRequest, JsonValue


def graph_of(request: EngineRequest, engine: str, graphs: Mapping[str, str]) -> Mapping[str, JsonValue]:
    """Raises DEPENDENCY_MISSING for a task without a graph, and CONFIG_INVALID for a file that is none."""
    if request.graph is not None:
        return request.graph
    task = str(request.parameters.get("task", ""))
    if task not in graphs:
        said = f"the engine {engine} has no graph for {task or 'a request without a task'}; it has those for: "
        raise WindmillError(
            "DEPENDENCY_MISSING", said + (", ".join(graphs) or "none"), f"add the file to graphs of {engine}"
        )
    return _read(Path(graphs[task]))


def _read(path: Path) -> Mapping[str, JsonValue]:
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise _no_graph(path, str(error)) from error
    if not isinstance(document, dict):
        raise _no_graph(path, "it is not a JSON object")
    return document


def _no_graph(path: Path, why: str) -> WindmillError:
    return WindmillError("CONFIG_INVALID", f"{path} holds no graph: {why}", "save it in ComfyUI's API format")
