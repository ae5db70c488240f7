"""The graph of a request: its own, or the one that the entry of the engine has for its task. What a preset hands to a
graph of the entry is never left out in silence."""

from collections.abc import Mapping
from pathlib import Path

import orjson

from windmill.core.errors import WindmillError
from windmill.engines.comfyui.graph import marks_of
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
    graph = _read(Path(graphs[task]))
    if unused := sorted(request.inputs.keys() - marks_of(graph).inputs):
        said = (
            f"the graph of {task} of the engine {engine} has no place for {', '.join(unused)}, and would leave it out"
        )
        raise WindmillError("DEPENDENCY_MISSING", said, f"name a graph with it under graphs of {engine}")
    return graph


def ignored_parameters(request: EngineRequest, graph: Mapping[str, JsonValue]) -> list[str]:
    """Those that a graph of the entry has no place for; whoever wrote a graph into the request knows."""
    if request.graph is not None:
        return []
    return sorted(request.parameters.keys() - marks_of(graph).parameters - {"task"})


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
