"""Reading a graph model of TensorFlow.js: `NAME.json` with the nodes, `NAME.bin` with the weights beside it."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Constant = npt.NDArray[Any]
_TYPES: dict[str, type[np.generic]] = {"float32": np.float32, "int32": np.int32, "bool": np.bool_}


@dataclass(frozen=True)
class Node:
    """One operation; an input is the name of a node, followed by `:1` if it is not its first output."""

    name: str
    kind: str
    inputs: Sequence[str]
    attributes: Mapping[str, Any]

    def ints(self, name: str) -> list[int]:
        """A list of numbers, such as the strides; empty if it is not given."""
        return [int(one) for one in self.attributes.get(name, {}).get("list", {}).get("i", ())]

    def text(self, name: str) -> str:
        return _text(self.attributes[name]["s"])

    def texts(self, name: str) -> list[str]:
        return [_text(one) for one in self.attributes.get(name, {}).get("list", {}).get("s", ())]

    def flag(self, name: str) -> bool:
        return bool(self.attributes.get(name, {}).get("b", False))

    def number(self, name: str) -> float:
        return float(self.attributes[name].get("f", 0))


@dataclass(frozen=True)
class TfjsGraph:
    """The nodes by name, and the values of those that are constant."""

    nodes: Mapping[str, Node]
    weights: Mapping[str, Constant]

    def constant(self, reference: str) -> Constant | None:
        """The value of an input, if the picture has no part in it. Batches are of one picture."""
        node = self.nodes[reference.partition(":")[0]]
        if node.kind == "Const":
            return self.weights[node.name]
        if node.kind == "Identity":
            return self.constant(node.inputs[0])
        if node.kind == "SparseToDense":
            return self._dense(node)
        if node.kind == "Pack":
            parts = [self.constant(one) for one in node.inputs]
            return np.array([1 if part is None else int(part) for part in parts], np.int32)
        return None

    def _dense(self, node: Node) -> Constant:
        where, shape, values, rest = (self.weights[one] for one in node.inputs)
        dense = np.full(shape.tolist(), rest)
        dense[tuple(np.atleast_2d(where).T)] = values
        return dense


def read_graph(path: Path) -> TfjsGraph:
    """The graph in this file, with the weights that lie beside it."""
    model = json.loads(path.read_bytes())
    nodes = {one["name"]: _node(one) for one in model["modelTopology"]["node"]}
    return TfjsGraph(nodes, dict(_weights(model["weightsManifest"], path.parent)))


def _node(said: Mapping[str, Any]) -> Node:
    inputs = [one for one in said.get("input", ()) if not one.startswith("^")]
    return Node(said["name"], said["op"], inputs, said.get("attr", {}))


def _text(said: str) -> str:
    return said if said in ("SAME", "VALID") else base64.b64decode(said).decode()


def _weights(manifest: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[tuple[str, Constant]]:
    for group in manifest:
        data = b"".join((folder / path).read_bytes() for path in group["paths"])
        at = 0
        for one in group["weights"]:
            stored = np.dtype(one.get("quantization", {}).get("dtype", _TYPES[one["dtype"]]))
            count = int(np.prod(one["shape"], dtype=np.int64))
            values = np.frombuffer(data, stored, count, at).reshape(one["shape"])
            at += count * stored.itemsize
            yield one["name"], _restored(values, one)


def _restored(values: Constant, one: Mapping[str, Any]) -> Constant:
    """The values as they were before they were made small."""
    quantization = one.get("quantization", {})
    if "scale" in quantization:
        values = values.astype(np.float32) * quantization["scale"] + quantization["min"]
    return values.astype(_TYPES[one["dtype"]])
