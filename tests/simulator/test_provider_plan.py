"""The short cut past the executor gives what the executor gives."""

from typing import Any

import pytest
from graphql import (
    DocumentNode,
    NoUnusedFragmentsRule,
    NoUnusedVariablesRule,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    execute,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from iometer_exporter.simulator.cloud.cloud import Cloud
from iometer_exporter.simulator.cloud.faults import Faults, ProviderFault
from iometer_exporter.simulator.cloud.plan import NeedsExecutor, plan
from iometer_exporter.simulator.cloud.queries import Documents
from iometer_exporter.simulator.cloud.schema import executable_schema
from tests.conftest import IN_CI
from tests.properties import examples

NOW = 1_768_510_800.0
SCHEMA = executable_schema()

RULES = [rule for rule in specified_rules if rule not in (NoUnusedFragmentsRule, NoUnusedVariablesRule)]

LEAVES = {
    "Provider": ["id", "name", "__typename"],
    "Installation": ["id", "externalId", "__typename"],
    "License": ["startTime", "endTime", "status", "expiry: endTime"],
    "LicensePool": ["id", "name", "size", "usage"],
    "LicenseTerm": ["period", "autoRenewal"],
    "SigningKey": ["id", "name", "enabled"],
    "Meter": ["id", "number", "__typename"],
    "Reading": ["time", "obisCode", "hex: obisCode(format: hex)", "obisCode(format: dec)", "value", "unit"],
    "Device": ["id", "localHttpPushStatus"],
    "DeviceBridge": ["connectionStatus"],
    "DeviceCore": ["connectionStatus", "attachmentStatus", "batteryLevel", "powerStatus", "pinStatus"],
    "MeterReadingsResponse": ["cursor"],
    "MeterReading": ["time", "receiveTime"],
    "MeterReadingMeter": ["id", "number"],
    "MeterReadingInstallation": ["id", "externalId"],
    "MeterReadingValue": ["obisCode", "hex: obisCode(format: $form)", "value", "unit"],
}
BRANCHES = {
    "Provider": {
        "installations": "Installation",
        "page: installations(pagination: {offset: $offset, limit: 3})": "Installation",
        'installation(externalId: "home-000004")': "Installation",
        "signingKeys": "SigningKey",
        "licensePools": "LicensePool",
        "readings(startTime: $start, limit: 2)": "MeterReadingsResponse",
        "rest: readings(limit: 1)": "MeterReadingsResponse",
    },
    "Installation": {
        "license": "License",
        "meters": "Meter",
        "currentMeter": "Meter",
        "devices": "Device",
        "currentDevice": "Device",
    },
    "License": {"pool": "LicensePool", "term": "LicenseTerm"},
    "LicensePool": {"term": "LicenseTerm"},
    "Meter": {"latestReadings": "Reading", "installation": "Installation"},
    "Reading": {"meter": "Meter"},
    "Device": {"bridge": "DeviceBridge", "core": "DeviceCore"},
    "MeterReadingsResponse": {"readings": "MeterReading"},
    "MeterReading": {
        "meter": "MeterReadingMeter",
        "installation": "MeterReadingInstallation",
        "values": "MeterReadingValue",
    },
}


@st.composite
def selections(draw: st.DrawFn, kind: str, depth: int = 4) -> str:
    """A selection of fields of a type: some by fragments, some of them twice."""
    fields = draw(st.lists(st.sampled_from(LEAVES[kind]), min_size=1, max_size=4))
    branches = BRANCHES.get(kind, {})
    if branches and depth:
        for field in draw(st.lists(st.sampled_from(sorted(branches)), max_size=3)):
            fields.append(f"{field} {draw(selections(branches[field], depth - 1))}")
    if draw(st.booleans()):
        fields.append(f"... on {kind} {{ {fields[-1]} }}")
    if draw(st.booleans()):
        fields.append(f"... {kind}Fragment")
    return "{ " + " ".join(fields) + " }"


FRAGMENTS = " ".join(
    f"fragment {kind}Fragment on {kind} {{ {leaves[0]} }}" for kind, leaves in LEAVES.items()
)


def cloud(*faults: ProviderFault) -> Cloud:
    return Cloud(installations=8, seed=1, interval=900, faults=Faults(set(faults)), clock=lambda: NOW)


def planned(document: DocumentNode, variables: dict[str, Any]) -> dict[str, Any]:
    operation = get_operation_ast(document)
    assert isinstance(operation, OperationDefinitionNode)
    source = cloud()
    fields = plan(SCHEMA, document, operation, variables, source)
    return {field.key: field.project(source) for field in fields if field.project}


@pytest.mark.no_cover
@examples(20, derandomize=IN_CI)
@given(
    selection=selections("Provider"),
    offset=st.integers(0, 9),
    form=st.sampled_from(["hex", "dec", None]),
)
def test_a_plan_gives_what_the_executor_gives(selection: str, offset: int, form: str | None) -> None:
    head = "query Q($offset: Int = 2, $form: ObisFormat, $start: DateTime)"
    document = parse(f"{head} {{ provider {selection} }} {FRAGMENTS}")
    assume(not validate(SCHEMA, document, [OverlappingFieldsCanBeMergedRule]))
    assert not validate(SCHEMA, document, RULES)
    variables = {"offset": offset, "form": form, "start": "2026-01-15T12:00:00Z"}
    expected = execute(SCHEMA, document, variable_values=variables, context_value=cloud())
    assert expected.errors is None  # type: ignore[union-attr]
    assert planned(document, variables) == expected.data  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "query",
    [
        "{ provider { id @skip(if: true) } }",
        "{ provider { ... @include(if: false) { id } } }",
        "query @defer { provider { id } }",
        "query Q($n: Int!) { provider { readings(limit: $n) { cursor } } }",
        "{ __schema { types { name } } }",
        '{ __type(name: "Meter") { name } }',
        "mutation { updateLicense { status } }",
        "{ provider { weather } }",
        "query A { provider { id } } query B { provider { name } }",
    ],
)
def test_what_is_not_simple_is_left_to_the_executor(query: str) -> None:
    with pytest.raises(NeedsExecutor):
        Documents(SCHEMA, cloud()).plan({"query": query}, OperationType.QUERY)


@pytest.mark.parametrize(
    "data", [None, [], {}, {"query": 5}, {"query": "{ provider { id } }", "variables": []}]
)
def test_what_is_no_operation_is_left_to_the_executor(data: Any) -> None:
    with pytest.raises(NeedsExecutor):
        Documents(SCHEMA, cloud()).plan(data, OperationType.QUERY)
