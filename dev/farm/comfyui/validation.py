"""What is wrong with a graph, told in ComfyUI's words. Pure.

Stricter than ComfyUI in one point: an input that a node does not have is a mistake here, and ignored there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dev.farm.comfyui.nodes import NODES, Input, Installed, input_config

MOST_CHOICES_TOLD = 20
Fault = dict[str, object]
Graph = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """Which outputs of a graph can be made, and what is wrong with the others. With an error none can."""

    outputs: tuple[str, ...] = ()
    node_errors: Mapping[str, object] = field(default_factory=dict)
    error: Mapping[str, object] | None = None


def validate(graph: object, installed: Installed) -> Verdict:
    """The verdict on a graph."""
    if not isinstance(graph, dict) or not graph:
        return Verdict(error=_error("prompt_no_outputs", "Prompt has no outputs", ""))
    for name, node in graph.items():
        if not isinstance(node, dict) or "class_type" not in node:
            said = "Cannot execute because a node is missing the class_type property."
            return Verdict(error=_error("invalid_prompt", said, f"Node ID '#{name}'"))
        if node["class_type"] not in NODES:
            said = f"Cannot execute because node {node['class_type']} does not exist."
            return Verdict(error=_error("invalid_prompt", said, f"Node ID '#{name}'"))
    return _verdict(graph, installed)


def _verdict(graph: Graph, installed: Installed) -> Verdict:
    outputs = [name for name, node in graph.items() if NODES[node["class_type"]].saves]
    if not outputs:
        return Verdict(error=_error("prompt_no_outputs", "Prompt has no outputs", ""))
    faults = {name: found for name in graph if (found := list(_faults(graph, name, installed)))}
    needed = {output: needs(graph, output) for output in outputs}
    good = tuple(output for output in outputs if faults.keys().isdisjoint(needed[output]))
    told: dict[str, object] = {
        name: {
            "errors": found,
            "dependent_outputs": [output for output in outputs if name in needed[output]],
            "class_type": graph[name]["class_type"],
        }
        for name, found in faults.items()
        if any(name in nodes for nodes in needed.values())
    }
    if not good:
        details = "\n".join(str(fault["details"]) for found in faults.values() for fault in found)
        return Verdict(
            (), told, _error("prompt_outputs_failed_validation", "Prompt outputs failed validation", details)
        )
    return Verdict(good, told)


def needs(graph: Graph, output: str) -> list[str]:
    """The nodes that an output needs, in an order in which they can be executed."""
    found: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in found or name in above or name not in graph:
            return
        for value in graph[name].get("inputs", {}).values():
            if _is_link(value):
                visit(str(value[0]), (*above, name))
        found.append(name)

    visit(output, ())
    return found


def _faults(graph: Graph, name: str, installed: Installed) -> Iterator[Fault]:
    node = graph[name]
    given, known = node.get("inputs", {}), NODES[node["class_type"]].inputs
    for key, wanted in known.items():
        if key in given:
            yield from _fault(graph, key, given[key], wanted, installed)
        elif not wanted.optional:
            yield _told("required_input_missing", "Required input is missing", key, {"input_name": key})
    for key in given.keys() - known.keys():
        yield _told("custom_validation_failed", "This node has no such input", key, {"input_name": key})


def _fault(graph: Graph, key: str, value: object, wanted: Input, installed: Installed) -> Iterator[Fault]:
    extra = {"input_name": key, "input_config": input_config(wanted, installed), "received_value": value}
    if isinstance(value, list):
        yield from _link_fault(graph, key, value, wanted, extra)
    elif wanted.type in ("INT", "FLOAT", "STRING"):
        yield from _value_fault(key, value, wanted, extra)
    elif wanted.type == "COMBO":
        yield from _choice_fault(key, value, installed.choices(wanted), wanted, extra)
    else:
        said = f"Failed to convert an input value to a {wanted.type} value"
        yield _told("invalid_input_type", said, f"{key}, {value}", extra)


def _link_fault(graph: Graph, key: str, value: list[Any], wanted: Input, extra: Fault) -> Iterator[Fault]:
    if not _is_link(value) or value[0] not in graph:
        yield _told(
            "bad_linked_input", "Bad linked input, must be a length-2 list of [node_id, slot_index]", key, extra
        )
        return
    sent = NODES[graph[value[0]]["class_type"]].outputs
    received = sent[value[1]] if value[1] < len(sent) else None
    if received != wanted.type:
        details = f"{key}, received_type({received}) mismatch input_type({wanted.type})"
        told = {**extra, "received_type": received, "linked_node": value}
        yield _told("return_type_mismatch", "Return type mismatch between linked nodes", details, told)


def _value_fault(key: str, value: object, wanted: Input, extra: Fault) -> Iterator[Fault]:
    number = _converted(value, wanted.type)
    if number is None:
        said = f"Failed to convert an input value to a {wanted.type} value"
        yield _told("invalid_input_type", said, f"{key}, {value}", extra)
    elif isinstance(number, str):
        return
    elif wanted.low is not None and number < wanted.low:
        yield _told("value_smaller_than_min", f"Value {value} smaller than min of {wanted.low}", key, extra)
    elif wanted.high is not None and number > wanted.high:
        yield _told("value_bigger_than_max", f"Value {value} bigger than max of {wanted.high}", key, extra)


def _choice_fault(key: str, value: object, choices: list[str], wanted: Input, extra: Fault) -> Iterator[Fault]:
    if value in choices:
        return
    if wanted.choices == "input":
        yield _told(
            "custom_validation_failed", "Custom validation failed for node", f"{key} - Invalid image file", extra
        )
        return
    many = len(choices) > MOST_CHOICES_TOLD
    listed = f"(list of length {len(choices)})" if many else str(choices)
    told = {**extra, "input_config": None if many else extra["input_config"]}
    yield _told("value_not_in_list", "Value not in list", f"{key}: '{value}' not in {listed}", told)


def _converted(value: object, kind: str) -> float | str | None:
    if kind == "STRING":
        return str(value) if isinstance(value, str | int | float) else None
    try:
        return int(value) if kind == "INT" else float(value)  # type: ignore[call-overload, arg-type]
    except (TypeError, ValueError):
        return None


def _is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)


def _told(kind: str, message: str, details: str, extra: Mapping[str, object]) -> Fault:
    return {"type": kind, "message": message, "details": details, "extra_info": dict(extra)}


def _error(kind: str, message: str, details: str) -> dict[str, object]:
    return {"type": kind, "message": message, "details": details, "extra_info": {}}
