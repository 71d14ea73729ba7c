"""Operations that arrive over HTTP."""

import json
from functools import lru_cache
from typing import Any

from ariadne.asgi.handlers import GraphQLHTTPHandler
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_operation_ast,
    parse,
    validate,
)
from starlette.requests import Request
from starlette.responses import Response

from iometer_exporter.simulator.cloud.cloud import Cloud
from iometer_exporter.simulator.cloud.plan import NeedsExecutor, RootField, plan


class Documents:
    """The operations that clients send again and again, parsed and validated once."""

    def __init__(self, schema: GraphQLSchema, cloud: Cloud) -> None:
        self._schema = schema
        self._cloud = cloud
        self._valid = lru_cache(64)(self._parse)

    def plan(self, data: Any, kind: OperationType) -> list[RootField]:
        """The plan of a request's operation, if it is of this kind; raises NeedsExecutor or GraphQLError."""
        if not isinstance(data, dict) or not isinstance(data.get("query"), str):
            raise NeedsExecutor("no operation")
        variables, name = data.get("variables"), data.get("operationName")
        if not isinstance(variables, dict | None) or not isinstance(name, str | None):
            raise NeedsExecutor("no operation")
        document = self._valid(data["query"])
        operation = get_operation_ast(document, name or None)
        if not isinstance(operation, OperationDefinitionNode) or operation.operation is not kind:
            raise NeedsExecutor("another kind of operation")
        return plan(self._schema, document, operation, variables, self._cloud)

    def _parse(self, query: str) -> DocumentNode:
        document = parse(query)
        if validate(self._schema, document):
            raise NeedsExecutor("not valid")
        return document


class QueryHandler(GraphQLHTTPHandler):
    """Executes queries by their plans, and all else as ariadne does."""

    def __init__(self, cloud: Cloud, documents: Documents) -> None:
        super().__init__()
        self._cloud = cloud
        self._documents = documents

    async def execute_graphql_query(
        self,
        request: Any,
        data: Any,
        *,
        context_value: Any = None,
        query_document: DocumentNode | None = None,
    ) -> tuple[bool, Any]:
        """Whether the operation succeeded, and its result."""
        try:
            with self._cloud.busy():
                return True, {"data": self._executed(self._documents.plan(data, OperationType.QUERY))}
        except (NeedsExecutor, GraphQLError):
            # ariadne finds the same error, if it is one, and puts it where it belongs.
            with self._cloud.busy():
                return await super().execute_graphql_query(
                    request, data, context_value=context_value, query_document=query_document
                )

    async def create_json_response(self, request: Request, result: Any, success: bool) -> Response:
        """The answer: 200 as soon as there is any data."""
        status = 200 if success or result.get("data") is not None else 400
        with self._cloud.busy():
            body = json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode()
        return Response(body, status, media_type="application/json")

    def _executed(self, fields: list[RootField]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for field in fields:
            if field.name == "__typename":
                found[field.key] = "Query"
            elif field.project is not None:
                found[field.key] = field.project(self._cloud)
        return found
