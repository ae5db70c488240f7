"""The graph of a request as the server gets it. Pure.

In the inputs of its nodes `{"$input": "photo"}` stands for the name under which that file was uploaded, and
`{"$parameter": "seed"}` for a parameter; `{"$parameter": "seed", "default": 0}` if it may be missing. Objects mark them
and not signs in text, so nothing that a user writes can be taken for one.
"""

from collections.abc import Mapping
from typing import NamedTuple

from windmill.core.errors import WindmillError
from windmill.engines.engine import JsonValue

Graph = dict[str, dict[str, object]]
PREFIX = "filename_prefix"
_MARKS = ("$input", "$parameter")


def render_graph(
    graph: Mapping[str, JsonValue], name: str, uploads: Mapping[str, str], parameters: Mapping[str, JsonValue]
) -> Graph:
    """The graph with its marks filled in. What it saves goes into a folder of its own: without a name that is new, a
    server gives the files that the same graph once made, and not new ones."""
    return {node: _node(node, value, name, uploads, parameters) for node, value in graph.items()}


class Marks(NamedTuple):
    """What a graph has a place for."""

    inputs: frozenset[str]
    parameters: frozenset[str]


def marks_of(graph: Mapping[str, JsonValue]) -> Marks:
    """The inputs and the parameters that stand in the graph."""
    values = [value for node in graph.values() for value in _inputs(node).values() if isinstance(value, Mapping)]
    return Marks(*(frozenset(str(value[mark]) for value in values if mark in value) for mark in _MARKS))


def _inputs(node: JsonValue) -> Mapping[str, JsonValue]:
    inputs = node.get("inputs") if isinstance(node, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}


def class_types(graph: Mapping[str, Mapping[str, object]]) -> list[str]:
    """The kinds of its nodes, each once."""
    return list(dict.fromkeys(str(node.get("class_type")) for node in graph.values()))


def _node(
    node: str, value: JsonValue, name: str, uploads: Mapping[str, str], parameters: Mapping[str, JsonValue]
) -> dict[str, object]:
    if not isinstance(value, Mapping) or not isinstance(value.get("class_type"), str):
        raise _wrong(f"the node {node} of the graph has no class_type")
    inputs = value.get("inputs", {})
    if not isinstance(inputs, Mapping):
        raise _wrong(f"the inputs of the node {node} are not an object")
    filled = {key: _filled(given, uploads, parameters) for key, given in inputs.items()}
    if isinstance(filled.get(PREFIX), str):
        filled[PREFIX] = f"{name}/{str(filled[PREFIX]).strip('/')}"
    return {**value, "inputs": filled}


def _filled(value: JsonValue, uploads: Mapping[str, str], parameters: Mapping[str, JsonValue]) -> object:
    if not isinstance(value, Mapping):
        return value
    for mark, known in zip(_MARKS, (uploads, parameters), strict=True):
        wanted = value.get(mark)
        if isinstance(wanted, str):
            return _looked_up(wanted, known, value)
    return value


def _looked_up(wanted: str, known: Mapping[str, object], mark: Mapping[str, JsonValue]) -> object:
    if known.get(wanted) is not None:
        return known[wanted]
    if "default" in mark:
        return mark["default"]
    raise _wrong(f"the graph needs {wanted}, which the request does not have")


def _wrong(said: str) -> WindmillError:
    return WindmillError("USAGE", said, "correct the graph of the preset, or give what it needs")
