"""Every document of the client against the schema of the API, and every part of the schema in a document."""

from importlib.resources import files

import pytest
from graphql import (
    FieldNode,
    GraphQLObjectType,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    parse,
    validate,
    visit,
)

from iometer_exporter.provider.api import operations

DOCUMENTS: dict[str, str] = {
    name: text for name, text in vars(operations).items() if name.isupper() and not name.startswith("_")
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema((files("iometer_exporter.provider.api") / "schema.graphql").read_text())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_is_valid(schema: GraphQLSchema, name: str) -> None:
    assert validate(schema, parse(DOCUMENTS[name])) == []


class _Collector(Visitor):
    """Notes each field that a document asks for, and each argument that it gives."""

    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self._info = info
        self.seen: set[str] = set()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent = self._info.get_parent_type()
        assert parent is not None
        field = f"{parent.name}.{node.name.value}"
        self.seen |= {field} | {f"{field}({argument.name.value})" for argument in node.arguments or ()}


def test_every_field_and_argument_of_the_schema_is_asked_for(schema: GraphQLSchema) -> None:
    seen: set[str] = set()
    for text in DOCUMENTS.values():
        info = TypeInfo(schema)
        collector = _Collector(info)
        visit(parse(text), TypeInfoVisitor(info, collector))
        seen |= collector.seen
    every: set[str] = set()
    for name, kind in schema.type_map.items():
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__"):
            for field, definition in kind.fields.items():
                every |= {f"{name}.{field}"} | {f"{name}.{field}({argument})" for argument in definition.args}
    assert len(every) > 60
    assert every - seen == set()


def test_a_field_that_the_schema_does_not_have_is_found(schema: GraphQLSchema) -> None:
    wrong = operations.ACCOUNT.replace("signingKeys", "signingKees")
    assert [error.message for error in validate(schema, parse(wrong))] == [
        "Cannot query field 'signingKees' on type 'Provider'. Did you mean 'signingKeys' or 'signingKey'?"
    ]


def test_documents_have_names_of_their_own() -> None:
    names = [parse(text).definitions[0].name.value for text in DOCUMENTS.values()]  # type: ignore[attr-defined]
    assert len(set(names)) == len(names) == 10
