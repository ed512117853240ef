"""A net as a list of calls, each with its streaming form; what has none is named before any chunk comes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from operator import setitem
from typing import Any

import torch
from torch import fx

from .. import layers
from ..core import conv, pooling, transpose
from ..errors import InputError
from . import axes, convolutions, pointwise, pools
from .call import Call, RankError
from .frames import Detail, Form, Frames, Sizes, Summary
from .plan import Plan
from .window import slide

__all__ = ["FUNCTIONS", "METHODS", "MODULES", "plan_net"]

CONTAINERS = (torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ModuleDict)


def plan_net(net: torch.nn.Module) -> list[Plan]:
    """Trace the net and give each call its streaming form, for every number of axes that its input may have.

    Raises
    ------
    InputError
        Names the first call that no stream can make, why, and the cure.
    """
    rewrite: Any = getattr(net, "streamable", None)  # a net may say itself how to write it plainly
    outer = _Outer(net if rewrite is None else rewrite())
    graph = _trace(outer)
    (source,) = [n for n in graph.nodes if n.op == "placeholder"]
    ids = _reads_ids(outer, source)
    plans: list[Plan] = []
    ranks: list[RankError] = []
    for ndim in (2, 3, 4) if ids else (3, 4, 2):  # (B, L) ids; (B, C, T), (B, C, F, L), (B, T)
        try:
            plans.append(_planned(outer, graph, ndim))
        except RankError as e:
            ranks.append(e)
        except InputError:
            if not plans:  # the likeliest number of axes that fits every layer says what is wrong
                raise
    if not plans:
        raise ranks[0]
    return plans


class _Outer(torch.nn.Module):
    """Calls the net with its first argument only, so that `lengths` and the like take their defaults."""

    def __init__(self, net: torch.nn.Module):
        super().__init__()
        self.net = net

    def forward(self, chunk):
        return self.net(chunk)


class _Tracer(fx.Tracer):
    """Stops at what has a streaming form of its own."""

    def __init__(self, net: torch.nn.Module):
        names = (
            conv.conv, conv.depthwise_conv, transpose.conv_transpose, pooling.pool, pooling.max_pool,
            pooling.mean_pool, pooling.mean_max_pool,
        )  # fmt: skip
        super().__init__(autowrap_functions=names)
        # what a forward calls may stand in another file: a layer's own forward, a method of the net's base
        homes = {c.__module__ for m in net.modules() for c in type(m).__mro__ if c.__module__ in sys.modules}
        homes = {home for home in homes if not home.startswith(("torch", "builtins"))}
        self._autowrap_search += [layers, *(sys.modules[home] for home in sorted(homes))]

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        if hasattr(m, "stream_window") or _row(m):
            return True
        return type(m).forward.__module__.startswith("torch.nn") and not isinstance(m, CONTAINERS)


def _trace(outer: _Outer) -> fx.Graph:
    try:
        graph = _Tracer(outer.net).trace(outer)
    except (fx.proxy.TraceError, TypeError, RuntimeError, AttributeError, ValueError, IndexError) as e:
        raise InputError(
            f"net must be traceable by torch.fx with one input along time, got {type(outer.net).__name__}: "
            f"{str(e).splitlines()[0] if str(e) else type(e).__name__}; "
            "let nothing in its forward depend on values, and give all arguments but the first a default"
        ) from e
    for node in reversed(list(graph.nodes)):
        # what is written in place has an effect without being used: it stays, to be refused
        writes = _name(node.target).endswith("_")
        if (
            node.op not in ("placeholder", "output")
            and not node.users
            and not (writes or node.target is setitem)
        ):
            graph.erase_node(node)
    return graph


def _planned(outer: _Outer, graph: fx.Graph, ndim: int) -> Plan:
    order = [n for n in graph.nodes if n.op not in ("placeholder", "output")]
    (source,) = [n for n in graph.nodes if n.op == "placeholder"]
    (output,) = [n for n in graph.nodes if n.op == "output"]
    chunk = Frames(ndim=ndim, axis=ndim - 1)
    known: dict[fx.Node, Any] = {source: chunk}  # Frames and the like, or a constant's value
    plan = Plan(outer.net, [], {}, {}, {}, source, output.args[0], chunk, None, None)
    for node in order:
        target = _target(node, outer)
        if node.op == "get_attr" or not any(n in plan.forms or n is source for n in node.all_input_nodes):
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda n: known[n])
            known[node] = target if node.op == "get_attr" else _made(node, target, args, kwargs)
            plan.constants[node] = known[node]
            continue
        plan.keys[node] = key = _key(node, plan.keys.values())
        call = _call(node, target, known, key)
        form = _form(call)
        form.label = call.label
        plan.order.append(node)
        plan.forms[node], known[node] = form, form.out
        if isinstance(target, torch.nn.Conv1d | torch.nn.Conv2d) and plan.channels is None:
            plan.channels = target.in_channels if _untouched(node, source, plan) else None
    results: list[fx.Node] = []
    fx.node.map_arg(output.args[0], results.append)
    if not results or any(not isinstance(known[n], Summary) for n in results):
        raise InputError("net must return tensors that depend on its input; return what it computed")
    plan.dtype = _dtype(outer.net, source)
    return plan


def _form(call: Call) -> Form:
    """The row's form, or a refusal."""
    target = call.target
    if isinstance(target, torch.nn.Module):
        if hasattr(target, "stream_window"):
            return _own_window(call)
        if target._forward_pre_hooks or target._forward_hooks:
            raise call.refuse("has hooks, which no stream runs", "remove them, as remove_weight_norm does")
        row = _row(target)
    else:
        row = METHODS.get(target) if isinstance(target, str) else FUNCTIONS.get(target)
    if all(type(x) in (Summary, Detail) for x in call.inputs):
        return Form(call.run, call.summary())  # time is gone: everything goes
    if row is None:
        raise call.refuse(
            "has no streaming form", "use layers and functions that have one (docs/architecture.md)"
        )
    if any(type(x) is Summary for x in call.inputs):
        raise call.refuse("joins frames with what was pooled over time", "pool both, or neither")
    return row(call)


def _own_window(call: Call) -> Form:
    """A module that says itself which windows it computes, as front-ends do."""
    options = call.target.stream_window()
    ranks = options.pop("axes")
    run = options.pop("run")
    x = call.frames(ndim=ranks[0])
    return slide(x, lambda used, first, size: run(used), ndim=ranks[1], **options)


def _row(m: torch.nn.Module) -> Callable[[Call], Form] | None:
    """The row of the class whose forward this module runs."""
    like = getattr(m, "streams_like", None)
    if like is not None:
        return MODULES[like]
    for kind in type(m).__mro__:
        if kind in MODULES and type(m).forward is kind.forward:  # type: ignore[attr-defined]
            return MODULES[kind]
    return None


def _call(node: fx.Node, target: Any, known: dict[fx.Node, Any], key: str) -> Call:
    inputs = [n for n in node.all_input_nodes if isinstance(known[n], KINDS)]
    args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda n: known[n])

    def run(xs: list[Any]) -> Any:
        came = dict(zip(inputs, xs, strict=True))
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda n: came[n] if n in came else known[n])
        return _made(node, target, args, kwargs)

    kind = type(target).__name__ if isinstance(target, torch.nn.Module) else _name(target)
    label = key if key.endswith(kind) else f"{key} ({kind})"
    return Call(label, target, tuple(args), dict(kwargs), run, [known[n] for n in inputs])


def _made(node: fx.Node, target: Any, args: Any, kwargs: Any) -> Any:
    with torch.no_grad():
        if node.op == "call_method":
            return getattr(args[0], target)(*args[1:], **kwargs)
        return target(*args, **kwargs)


def _target(node: fx.Node, outer: torch.nn.Module) -> Any:
    if node.op == "call_module":
        return outer.get_submodule(str(node.target))
    if node.op == "get_attr":
        value: Any = outer
        for name in str(node.target).split("."):
            value = getattr(value, name)
        return value
    return node.target


def _key(node: fx.Node, taken: Any) -> str:
    """Where the call stands: "body.0.conv", "body.0.max_pool2d"."""
    if node.op == "call_module":
        key = str(node.target).removeprefix("net").lstrip(".") or "net"
    else:
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        path = str(stack[-1][0]).removeprefix("net").lstrip(".") if stack else ""
        key = ".".join(part for part in (path, _name(node.target)) if part)
    count = sum(other.split("#")[0] == key for other in taken)
    return f"{key}#{count}" if count else key


def _name(target: Any) -> str:
    return target if isinstance(target, str) else getattr(target, "__name__", str(target))


def _untouched(node: fx.Node, source: fx.Node, plan: Plan) -> bool:
    """Whether a layer sees the net's own channels."""
    rows = (pointwise.pointwise, pointwise.dropout, pointwise.batch_norm, axes.pad_module, axes.pad_function)
    while node is not source:
        inputs = [n for n in node.all_input_nodes if n in plan.forms or n is source]
        if len(inputs) != 1:
            return False
        (node,) = inputs
        if node is source:
            return True
        if node.op != "call_module":
            return False
        if _row(_target(node, _Outer(plan.net))) not in rows:
            return False
    return True


def _reads_ids(outer: _Outer, source: fx.Node) -> bool:
    return any(isinstance(_target(n, outer), torch.nn.Embedding) for n in source.users)


def _dtype(net: torch.nn.Module, source: fx.Node) -> torch.dtype | None:
    """The dtype of the net's weights, unless its input is ids."""
    if _reads_ids(_Outer(net), source):
        return torch.int64
    return next((p.dtype for p in net.parameters() if p.dtype.is_floating_point), None)


KINDS = (Frames, Summary, Sizes, axes.Parts)
MODULES: dict[type, Any] = {
    **pointwise.MODULES,
    **axes.MODULES,
    **pools.MODULES,
    **convolutions.MODULES,
}
FUNCTIONS: dict[Any, Any] = {
    **pointwise.FUNCTIONS,
    **axes.FUNCTIONS,
    **pools.FUNCTIONS,
    **convolutions.FUNCTIONS,
}
METHODS: dict[str, Any] = {**pointwise.METHODS, **axes.METHODS, **pools.METHODS}
