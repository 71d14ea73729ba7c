"""The hot operations without an executor: a selection of fields becomes one function from source to JSON.

A general executor walks the schema for every value of every installation, and would not send what the schema
does not know, as a broken cloud does. What is not simple (directives, introspection, errors) is left to it.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)
from graphql.execution.values import get_argument_values, get_variable_values

from iometer_exporter.simulator.cloud.cloud import Cloud
from iometer_exporter.simulator.cloud.resolvers import RESOLVERS

Project = Callable[[Any], Any]


class NeedsExecutor(Exception):  # noqa: N818 (nothing is wrong, it is for somebody else)
    """An operation that is not for this module."""


class RootField(NamedTuple):
    """A field of the operation itself: key in the answer, name, arguments, and what makes JSON of it."""

    key: str
    name: str
    arguments: dict[str, Any]
    project: Project | None


def plan(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Any,
    cloud: Cloud,
) -> list[RootField]:
    """The root fields of an operation that has been validated; raises NeedsExecutor."""
    coerced = get_variable_values(schema, operation.variable_definitions or (), variables or {})
    if isinstance(coerced, list):
        raise NeedsExecutor("variables are wrong")
    root = schema.get_root_type(operation.operation)
    if root is None or operation.directives:
        raise NeedsExecutor("a directive")
    return _Planner(document, coerced, cloud).roots(root, operation.selection_set)


class _Planner:
    def __init__(self, document: DocumentNode, variables: Any, cloud: Cloud) -> None:
        self._variables = variables
        self._cloud = cloud
        self._fragments: Mapping[str, FragmentDefinitionNode] = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }

    def roots(self, kind: GraphQLObjectType, selection: SelectionSetNode) -> list[RootField]:
        return [
            RootField(key, nodes[0].name.value, self._arguments(kind, nodes[0]), self._project(kind, nodes))
            for key, nodes in self._collect([selection]).items()
        ]

    def _object(self, kind: GraphQLObjectType, selections: Sequence[SelectionSetNode]) -> Project:
        fields = [
            (key, self._getter(kind, nodes[0]), self._project(kind, nodes))
            for key, nodes in self._collect(selections).items()
        ]

        def project(source: Any) -> dict[str, Any]:
            found = {}
            for key, get, inner in fields:
                value = get(source)
                found[key] = value if inner is None or value is None else inner(value)
            return found

        return project

    def _project(self, kind: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Project | None:
        """The function that makes JSON of a field's value; None where it is JSON already."""
        selections = [node.selection_set for node in nodes if node.selection_set]
        if not selections:
            return None
        field = kind.fields.get(nodes[0].name.value)
        inner = field.type if field else None
        many = False
        while isinstance(inner, GraphQLList | GraphQLNonNull):
            many = many or isinstance(inner, GraphQLList)
            inner = inner.of_type
        if not isinstance(inner, GraphQLObjectType) or inner.name.startswith("__"):
            raise NeedsExecutor("introspection")
        project = self._object(inner, selections)
        if not many:
            return project
        return lambda items: [None if item is None else project(item) for item in items]

    def _getter(self, kind: GraphQLObjectType, node: FieldNode) -> Callable[[Any], Any]:
        name = node.name.value
        if name == "__typename":
            return lambda _source: kind.name
        resolver = RESOLVERS.get(kind.name, {}).get(name)
        if resolver is None:
            return itemgetter(name)
        cloud, arguments = self._cloud, self._arguments(kind, node)
        if not arguments:
            return lambda source: resolver(source, cloud)
        return lambda source: resolver(source, cloud, **arguments)

    def _arguments(self, kind: GraphQLObjectType, node: FieldNode) -> dict[str, Any]:
        field = kind.fields.get(node.name.value)
        if field is None:
            if node.name.value == "__typename":
                return {}
            raise NeedsExecutor("introspection")
        return get_argument_values(field, node, self._variables)

    def _collect(self, selections: Sequence[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """The fields of selections by their keys in the answer; a key that is there twice is one field."""
        found: dict[str, list[FieldNode]] = {}
        waiting = [node for selection in selections for node in selection.selections]
        while waiting:
            node = waiting.pop(0)
            if node.directives:
                raise NeedsExecutor("a directive")
            if isinstance(node, FieldNode):
                found.setdefault((node.alias or node.name).value, []).append(node)
            elif isinstance(node, FragmentSpreadNode):
                # All types of this schema are objects: what has been validated applies.
                waiting = [*self._fragments[node.name.value].selection_set.selections, *waiting]
            elif isinstance(node, InlineFragmentNode):
                waiting = [*node.selection_set.selections, *waiting]
        return found
