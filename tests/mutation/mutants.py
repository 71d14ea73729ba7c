"""Every mutant of a source file: the operators of mutmut, each applied once at each place that it fits."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper
from mutmut.mutation.mutators import mutation_operators

_TYPES: Final = frozenset({"Literal", "Callable", "Mapping", "tuple", "dict", "list", "set", "type"})
"""What stands before the bracket of a type, such as `Reason = Literal["timeout", ...]`."""

_UNREAD: Final = frozenset({"cast", "TypeVar", "logging"})
"""Calls whose arguments only type checkers read, or people: the name of a logger."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of one expression or statement, and the whole file with it."""

    where: str
    """Function or class and method, such as `ObisCode.parse`; empty at the top of the module."""

    before: str
    """The lines that are gone, without indentation."""

    after: str
    """The lines in their place."""

    source: str
    line: int

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same mutant although lines above it have come or gone."""
        return self.where, self.before, self.after


def mutants(source: str, only: Collection[str] | None = None) -> list[Mutant]:
    """The mutants in the order of the file; two that come to the same text are one.

    With `only`, those of these functions or methods: to make and write a mutant is what takes long.
    """
    wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
    module = wrapper.module
    starts = wrapper.resolve(ByteSpanPositionProvider)
    found: dict[str, Mutant] = {}
    whole = source.encode()
    begin = sum(len(module.code_for_node(each).encode()) for each in module.header)
    # A statement at a time: to write and compile the whole module for each mutant takes several times longer.
    for statement in module.body:
        written = module.code_for_node(statement).encode()
        end = begin + len(written)
        visitor = _Visitor(only)
        statement.visit(visitor)
        for where, old, new in visitor.changes:
            changed = _changed(module, statement, written, starts[old].start - begin, old, new)
            text = (whole[:begin] + changed + whole[end:]).decode()
            if changed != written and text not in found and _compiles(changed):
                found[text] = _mutant(where, source, text)
        begin = end
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _changed(
    module: cst.Module, statement: cst.CSTNode, written: bytes, start: int, old: cst.CSTNode, new: cst.CSTNode
) -> bytes:
    """The statement with a node exchanged that starts, but for brackets around it, at this byte."""
    before, after = (module.code_for_node(node).encode() for node in (old, new))
    begin = written.rfind(before, 0, start + len(before))
    if begin < 0:
        # A block, which by itself is not indented as in the file.
        changed = statement.deep_replace(old, new)
        assert isinstance(changed, cst.CSTNode)
        return module.code_for_node(changed).encode()
    return written[:begin] + after + written[begin + len(before) :]


class _Visitor(cst.CSTVisitor):
    """Collects changes everywhere but in what only people and type checkers read."""

    def __init__(self, only: Collection[str] | None) -> None:
        self._only = only
        self.changes: list[tuple[str, cst.CSTNode, cst.CSTNode]] = []
        self._names: list[str] = []
        self._wording: set[cst.CSTNode] = set()

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Annotation | cst.Import | cst.ImportFrom | cst.Decorator):
            return False
        if _is_type(node) or (isinstance(node, cst.Assign | cst.AnnAssign) and _is_type(node.value)):
            return False
        if isinstance(node, cst.Assign) and any(_name(each.target) == "__all__" for each in node.targets):
            return False
        if isinstance(node, cst.Expr) and isinstance(node.value, cst.BaseString):
            return False
        if isinstance(node, cst.Call) and _called(node) in _UNREAD:
            return False
        if isinstance(node, cst.Call) and _called(node) == "_log":
            for each in node.args:
                self._wording.update(() if each.keyword else _texts(each.value))
        if node in self._wording or _is_strict(node):
            return False
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._names.append(node.name.value)
        where = ".".join(self._names)
        for kind, operator in mutation_operators:
            if isinstance(node, kind) and (self._only is None or where in self._only):
                self.changes += [
                    (where, node, new)
                    for new in operator(node)
                    if not _is_as_false(node, new) and not _is_less_strict(node, new)
                ]
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self._names.pop()


def _called(call: cst.Call) -> str:
    """The name before the bracket, or before the first dot."""
    function = call.func
    while isinstance(function, cst.Attribute):
        function = function.value
    return _name(function)


def _is_strict(node: cst.CSTNode) -> bool:
    """Whether it is the argument by which `zip` checks what this program gives it."""
    return isinstance(node, cst.Arg) and node.keyword is not None and node.keyword.value == "strict"


def _is_less_strict(old: cst.CSTNode, new: cst.CSTNode) -> bool:
    if not (isinstance(old, cst.Call) and isinstance(new, cst.Call) and _called(old) == "zip"):
        return False
    return [arg.value for arg in old.args if _is_strict(arg)] != [
        arg.value for arg in new.args if _is_strict(arg)
    ]


def _is_as_false(old: cst.CSTNode, new: cst.CSTNode) -> bool:
    """Whether None takes the place of False: only a type checker, which we have, sees the difference."""
    return (
        isinstance(old, cst.Assign | cst.AnnAssign)
        and isinstance(new, cst.Assign | cst.AnnAssign)
        and _name(old.value) == "False"
        and _name(new.value) == "None"
    )


def _name(node: cst.CSTNode | None) -> str:
    return node.value if isinstance(node, cst.Name) else ""


def _texts(value: cst.BaseExpression) -> Iterator[cst.CSTNode]:
    """The literal and those that it is written in, if it is one."""
    if isinstance(value, cst.BaseString):
        yield value
    if isinstance(value, cst.ConcatenatedString):
        yield from (*_texts(value.left), *_texts(value.right))


def _is_type(node: cst.CSTNode | None) -> bool:
    return isinstance(node, cst.Subscript) and isinstance(node.value, cst.Name) and node.value.value in _TYPES


def _compiles(text: bytes) -> bool:
    try:
        compile(text, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _mutant(where: str, source: str, text: str) -> Mutant:
    before, after = source.splitlines(), text.splitlines()
    first = _alike(before, after)
    last = _alike(before[first:][::-1], after[first:][::-1])
    return Mutant(
        where,
        _joined(before[first : len(before) - last]),
        _joined(after[first : len(after) - last]),
        text,
        first + 1,
    )


def _alike(left: list[str], right: list[str]) -> int:
    """How many lines at the begin are the same."""
    return next(
        (index for index, (one, other) in enumerate(zip(left, right, strict=False)) if one != other),
        min(len(left), len(right)),
    )


def _joined(lines: list[str]) -> str:
    return "\n".join(line.strip() for line in lines)


def differences(mutant: Mutant) -> Iterator[str]:
    """The change as lines for people."""
    yield f"{mutant.where or 'the module'}, line {mutant.line}"
    yield from (f"- {line}" for line in mutant.before.splitlines())
    yield from (f"+ {line}" for line in mutant.after.splitlines())
