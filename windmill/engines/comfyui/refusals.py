"""Why a ComfyUI server refuses a graph: something that is not installed, or the graph itself. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from windmill.core.errors import WindmillError
from windmill.engines.comfyui.json_parts import as_list, as_object

MODEL_SUFFIXES = (".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".gguf", ".onnx", ".pkl")
_LISTED = 20
_CORRECT_GRAPH = "correct the graph of the preset"


@dataclass(frozen=True)
class NodeFault:
    """One fault of one node."""

    node: str
    class_type: str
    kind: str
    message: str
    details: str
    input_name: str
    received: object
    choices: tuple[str, ...] | None
    """What could be chosen; None if the server does not tell, as it does with long lists."""

    @property
    def is_missing_file(self) -> bool:
        """Whether it names a model that is not installed."""
        named = str(self.received or "").lower()
        return self.kind == "value_not_in_list" and (named.endswith(MODEL_SUFFIXES) or "Loader" in self.class_type)


def node_faults(node_errors: object) -> tuple[NodeFault, ...]:
    """The faults in `node_errors`, which also come with a 200: the server then leaves out what depends on them."""
    return tuple(_faults(as_object(node_errors)))


def choices_of(object_info: object, class_type: str, input_name: str) -> tuple[str, ...]:
    """What can be chosen for an input, by the answer of GET /object_info."""
    inputs = as_object(as_object(as_object(object_info).get(class_type)).get("input"))
    for part in ("required", "optional"):
        if found := _choices(as_object(inputs.get(part)).get(input_name)):
            return found
    return ()


def missing_file(fault: NodeFault, choices: Sequence[str]) -> WindmillError:
    """The error for a model that is not installed; it lists what is."""
    installed = f"installed: {_listed(choices)}" if choices else "none is installed"
    said = f"ComfyUI has no {fault.received} for {fault.input_name} of {fault.class_type}; {installed}"
    return WindmillError("DEPENDENCY_MISSING", said, f"put {fault.received} into ComfyUI's folder of models")


def missing_nodes(names: Sequence[str]) -> WindmillError:
    """The error for nodes that the server does not know."""
    said = f"ComfyUI does not know the node{'s' if len(names) > 1 else ''} {', '.join(names)}"
    return WindmillError("DEPENDENCY_MISSING", said, "install the custom nodes that provide it, and restart ComfyUI")


def refused_graph(error: object, faults: Sequence[NodeFault]) -> WindmillError:
    """The error for a graph that is wrong itself."""
    said = "; ".join(_sentence(fault) for fault in faults[:5])
    if not said and isinstance(error, dict):
        said = f"{error.get('type')}: {error.get('message')} {error.get('details') or ''}".strip()
    return WindmillError("SERVICE_REJECTED", f"ComfyUI refuses the graph: {said or error}", _CORRECT_GRAPH)


def _faults(node_errors: Mapping[str, Any]) -> Iterator[NodeFault]:
    for node, found in node_errors.items():
        for error in map(as_object, as_list(as_object(found).get("errors"))):
            yield _fault(node, str(as_object(found).get("class_type")), error)


def _fault(node: str, class_type: str, error: Mapping[str, Any]) -> NodeFault:
    extra = as_object(error.get("extra_info"))
    return NodeFault(
        node,
        class_type,
        str(error.get("type")),
        str(error.get("message")),
        str(error.get("details") or ""),
        str(extra.get("input_name") or ""),
        extra.get("received_value"),
        _choices(extra.get("input_config")) or None,
    )


def _choices(configured: object) -> tuple[str, ...]:
    """The choices in the description of an input: older nodes list them in place of a type, newer ones as options."""
    if not isinstance(configured, list) or not configured:
        return ()
    listed = configured[0]
    if listed == "COMBO" and len(configured) > 1:
        listed = as_object(configured[1]).get("options")
    return tuple(map(str, as_list(listed)))


def _listed(choices: Sequence[str]) -> str:
    more = f" and {len(choices) - _LISTED} more" if len(choices) > _LISTED else ""
    return ", ".join(choices[:_LISTED]) + more


def _sentence(fault: NodeFault) -> str:
    return f"node {fault.node} ({fault.class_type}): {fault.message}: {fault.details}"
