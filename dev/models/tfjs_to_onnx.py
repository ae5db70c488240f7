"""Making an ONNX model of a graph of TensorFlow.js.

TensorFlow keeps the channels last and ONNX second, so transpositions stand around each convolution; ONNX Runtime takes
out those that cancel each other.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dev.models.tfjs import Constant, Node, TfjsGraph, read_graph

INPUT = "image"
_OPSET = 13
_IR_VERSION = 9


def convert(source: Path, target: Path, outputs: Sequence[str]) -> None:
    """Write what computes these nodes of the graph in `source`; the input is called `image`."""
    builder = OnnxBuilder(read_graph(source))
    named = [
        helper.make_tensor_value_info(builder.add("Identity", builder.tensor(one)), TensorProto.FLOAT, None)
        for one in outputs
    ]
    graph = helper.make_graph(builder.nodes, source.stem, builder.inputs, named, builder.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    target.write_bytes(model.SerializeToString())


class OnnxBuilder:
    """Adds ONNX nodes for the nodes of a graph, each when it is first asked for."""

    def __init__(self, graph: TfjsGraph) -> None:
        self.graph = graph
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self._made: dict[str, list[str]] = {}
        self._names = 0

    def tensor(self, reference: str) -> str:
        """The ONNX name of an input of a node."""
        name, _, output = reference.partition(":")
        if name not in self._made:
            value = self.graph.constant(name)
            self._made[name] = (
                [self.keep(_as_int64(value))] if value is not None else self._emit(self.graph.nodes[name])
            )
        return self._made[name][int(output or 0)]

    def value(self, reference: str) -> Constant:
        """The value of an input that has to be constant."""
        value = self.graph.constant(reference)
        if value is None:
            raise NotImplementedError(f"{reference} is computed, and only constants are known here")
        return value

    def keep(self, value: Constant) -> str:
        """The name of a new constant."""
        name = self._name()
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        return self.add_many(kind, 1, *inputs, **attributes)[0]

    def add_many(self, kind: str, outputs: int, *inputs: str, **attributes: object) -> list[str]:
        names = [self._name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def channels_second(self, name: str) -> str:
        return self.add("Transpose", name, perm=[0, 3, 1, 2])

    def channels_last(self, name: str) -> str:
        return self.add("Transpose", name, perm=[0, 2, 3, 1])

    def _name(self) -> str:
        self._names += 1
        return f"t{self._names}"

    def _emit(self, node: Node) -> list[str]:
        if node.kind == "SplitV":
            return _split(self, node)
        if node.kind not in _EMITTERS:
            raise NotImplementedError(f"{node.name}: no conversion of {node.kind} is known")
        return [_EMITTERS[node.kind](self, node)]


def _as_int64(value: Constant) -> Constant:
    return value.astype(np.int64) if value.dtype == np.int32 else value


def _placeholder(builder: OnnxBuilder, node: Node) -> str:
    sides = [max(1, int(one["size"])) for one in node.attributes["shape"]["shape"]["dim"]]
    builder.inputs.append(helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, sides))
    return INPUT


def _same(kind: str) -> Callable[[OnnxBuilder, Node], str]:
    """For what ONNX has under this name with the same inputs."""
    return lambda builder, node: builder.add(kind, *map(builder.tensor, node.inputs))


def _relu6(builder: OnnxBuilder, name: str) -> str:
    return builder.add("Clip", name, builder.keep(np.array(0, np.float32)), builder.keep(np.array(6, np.float32)))


def _transpose(builder: OnnxBuilder, node: Node) -> str:
    return builder.add("Transpose", builder.tensor(node.inputs[0]), perm=builder.value(node.inputs[1]).tolist())


def _pad(builder: OnnxBuilder, node: Node) -> str:
    sides = builder.keep(builder.value(node.inputs[1]).T.reshape(-1).astype(np.int64))
    return builder.add("Pad", builder.tensor(node.inputs[0]), sides, *map(builder.tensor, node.inputs[2:]))


def _concat(builder: OnnxBuilder, node: Node) -> str:
    axis = int(builder.value(node.inputs[-1]))
    return builder.add("Concat", *map(builder.tensor, node.inputs[:-1]), axis=axis)


def _split(builder: OnnxBuilder, node: Node) -> list[str]:
    sizes = builder.value(node.inputs[1]).astype(np.int64)
    axis = int(builder.value(node.inputs[2]))
    return builder.add_many("Split", len(sizes), builder.tensor(node.inputs[0]), builder.keep(sizes), axis=axis)


def _mean(builder: OnnxBuilder, node: Node) -> str:
    axes = np.atleast_1d(builder.value(node.inputs[1])).tolist()
    return builder.add("ReduceMean", builder.tensor(node.inputs[0]), axes=axes, keepdims=int(node.flag("keep_dims")))


def _max_pool(builder: OnnxBuilder, node: Node) -> str:
    picture = builder.channels_second(builder.tensor(node.inputs[0]))
    sides = {"kernel_shape": node.ints("ksize")[1:3], "strides": node.ints("strides")[1:3]}
    return builder.channels_last(builder.add("MaxPool", picture, auto_pad=_padding(node), **sides))


def _depth_to_space(builder: OnnxBuilder, node: Node) -> str:
    picture = builder.channels_second(builder.tensor(node.inputs[0]))
    side = int(node.attributes["block_size"]["i"])
    return builder.channels_last(builder.add("DepthToSpace", picture, blocksize=side, mode="DCR"))


def _resize(builder: OnnxBuilder, node: Node) -> str:
    corners, half = node.flag("align_corners"), node.flag("half_pixel_centers")
    mode = "align_corners" if corners else "half_pixel" if half else "asymmetric"
    picture = builder.channels_second(builder.tensor(node.inputs[0]))
    depth = builder.add("Slice", builder.add("Shape", picture), *(builder.keep(np.array([n])) for n in (0, 2)))
    size = builder.add("Concat", depth, builder.keep(builder.value(node.inputs[1]).astype(np.int64)), axis=0)
    resized = builder.add("Resize", picture, "", "", size, mode="linear", coordinate_transformation_mode=mode)
    return builder.channels_last(resized)


def _convolution(builder: OnnxBuilder, node: Node) -> str:
    """With all that is fused into it."""
    weights, groups = _weights(node.kind, builder.value(node.inputs[1]))
    fused, rest = node.texts("fused_ops"), list(node.inputs[2:])
    bias = [builder.keep(builder.value(rest.pop(0)).reshape(-1))] if "BiasAdd" in fused else []
    made = builder.add(
        "Conv",
        builder.channels_second(builder.tensor(node.inputs[0])),
        builder.keep(weights),
        *bias,
        group=groups,
        kernel_shape=list(weights.shape[2:]),
        strides=node.ints("strides")[1:3],
        dilations=node.ints("dilations")[1:3] or [1, 1],
        auto_pad=_padding(node),
    )
    for kind in fused:
        made = made if kind == "BiasAdd" else _ACTIVATIONS[kind](builder, made)
    return builder.channels_last(made)


def _weights(kind: str, weights: Constant) -> tuple[Constant, int]:
    """Weights as ONNX keeps them, and the number of groups."""
    if "epthwise" not in kind:
        return weights.transpose(3, 2, 0, 1), 1
    height, width, channels, each = weights.shape
    return weights.transpose(2, 3, 0, 1).reshape(channels * each, 1, height, width), channels


def _padding(node: Node) -> str:
    return {"SAME": "SAME_UPPER", "VALID": "VALID"}[node.text("padding")]


_ACTIVATIONS: dict[str, Callable[[OnnxBuilder, str], str]] = {
    "Relu": lambda builder, name: builder.add("Relu", name),
    "Relu6": _relu6,
}
_EMITTERS: dict[str, Callable[[OnnxBuilder, Node], str]] = {
    "Placeholder": _placeholder,
    **{kind: _same(kind) for kind in ("Add", "Mul", "Sub", "Relu", "Sigmoid", "Identity", "Reshape")},
    "AddV2": _same("Add"),
    "Relu6": lambda builder, node: _relu6(builder, builder.tensor(node.inputs[0])),
    "LeakyRelu": lambda builder, node: builder.add(
        "LeakyRelu", builder.tensor(node.inputs[0]), alpha=node.number("alpha")
    ),
    "Transpose": _transpose,
    **dict.fromkeys(("Pad", "PadV2"), _pad),
    "ConcatV2": _concat,
    "Mean": _mean,
    "MaxPool": _max_pool,
    "DepthToSpace": _depth_to_space,
    "ResizeBilinear": _resize,
    **dict.fromkeys(("Conv2D", "_FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"), _convolution),
}
