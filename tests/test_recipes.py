"""What the recipes of CONTRIBUTING.md ask for and is easily forgotten: each failure names the step."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from math import inf
from pathlib import Path
from typing import Any, Final

import pytest
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    build_schema,
    parse,
)

import iometer_exporter
from iometer_exporter.bridges.samples import add_bridges
from iometer_exporter.bridges.snapshot import Snapshot, StreamState
from iometer_exporter.cli import check
from iometer_exporter.cli.provider import installations as installations_command
from iometer_exporter.config.file import BridgeConfig, Config, DiscoveryConfig
from iometer_exporter.config.provider import ProviderConfig
from iometer_exporter.errors import ProviderError
from iometer_exporter.meter import obis
from iometer_exporter.meter.guard import REJECTIONS
from iometer_exporter.meter.json_object import JsonObject
from iometer_exporter.meter.models import ENDPOINTS, Status, parse_reading, parse_status
from iometer_exporter.meter.obis import ObisCode
from iometer_exporter.meter.quantities import energies
from iometer_exporter.metrics import families as metrics
from iometer_exporter.metrics.exposition import TEXT, render
from iometer_exporter.metrics.families import (
    FAMILIES,
    PROBE_FAMILIES,
    READINGS_REJECTED,
    Distribution,
    Family,
)
from iometer_exporter.metrics.lines import Lines
from iometer_exporter.provider.api import answers
from iometer_exporter.provider.api.client import ProviderClient
from iometer_exporter.provider.api.credentials import Credentials
from iometer_exporter.provider.api.models import Device, Installation, License, LicensePool
from iometer_exporter.provider.served import families as provider_families
from iometer_exporter.simulator import Fault, SimulatedBridge
from iometer_exporter.simulator.cloud import ProviderSimulation
from iometer_exporter.simulator.cloud.fleet import CYCLE
from prometheus.meter import READINGS_REJECTED as REJECTED_ALERT
from tests import payloads
from tests.prometheus.test_rules import selectors
from tests.provider import fleet
from tests.provider.test_operations import DOCUMENTS

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = Path(iometer_exporter.__file__).parent
NOW: Final = 1_768_510_800.0

HOMES: Final[tuple[tuple[Fault, ...], ...]] = ((), ("three-phase", "tariffs"), ("wired",))
"""Simulated bridges that together have everything that a bridge can send."""

NOT_SIMULATED: Final = {"iometer_tariff_energy_export_joules_total"}
"""Families that no simulated bridge has: hardly a meter counts export by tariff; golden files have it."""


def documents(faults: tuple[Fault, ...]) -> tuple[bytes, bytes]:
    """Both documents of a simulated bridge."""
    bridge = SimulatedBridge(faults=faults, clock=lambda: NOW)
    return json.dumps(bridge.reading()).encode(), json.dumps(bridge.status()).encode()


def snapshot(faults: tuple[Fault, ...] = ()) -> Snapshot:
    """A simulated bridge as a scrape finds it that is followed by its streams."""
    reading, status = documents(faults)
    sent = parse_reading(reading)
    return Snapshot(
        bridge="house",
        address="192.168.1.50",
        source="configured",
        meter=sent.meter,
        reading=sent,
        energies=energies(sent),
        sent=sent,
        status=parse_status(status),
        durations=dict.fromkeys(ENDPOINTS, 0.1),
        failures={},
        errors={},
        rejected={},
        streams=dict.fromkeys(ENDPOINTS, StreamState(True, 1, 0)),
        powers=(sent.meter, Distribution((inf,), (1,), 0.0)),
    )


def page(one: Snapshot) -> str:
    lines = Lines()
    add_bridges(lines, [one], now=NOW, stale_after=0.0)
    return render([lines], TEXT).decode()


def empty(status: Status, name: str) -> Status:
    """The status without one of its fields."""
    default: Any = next(field.default for field in fields(Status) if field.name == name)
    return replace(status, **{name: default})


STATUS_FIELDS: Final = [field.name for field in fields(Status) if field.name not in ("meter", "problems")]
"""Those that say something of the device; the meter is a label, and problems are counted and logged."""


@pytest.mark.parametrize("name", STATUS_FIELDS)
def test_every_field_of_the_status_is_sent_by_the_simulator_and_read(name: str) -> None:
    whole = snapshot().status
    assert whole is not None
    assert empty(whole, name) != whole, (
        f"Status.{name} is never filled: read it in parse_status (iometer_exporter/meter/models.py) and have "
        "the simulator send it (iometer_exporter/simulator/bridge.py)"
    )


@pytest.mark.parametrize("name", STATUS_FIELDS)
def test_every_field_of_the_status_is_in_a_payload(name: str) -> None:
    statuses = map(payloads.status, payloads.CASES)
    assert any(empty(status, name) != status for status in statuses), (
        f"no payload in tests/fixtures/payloads/ has Status.{name}"
    )


@pytest.mark.parametrize("name", STATUS_FIELDS)
def test_every_field_of_the_status_is_shown(name: str) -> None:
    whole = snapshot()
    assert whole.status is not None
    without = replace(whole, status=empty(whole.status, name))
    assert page(without) != page(whole), (
        f"Status.{name} is in no metric: yield its family in _status (iometer_exporter/bridges/samples.py)"
    )
    shown = [check._sections(one, [], NOW) for one in (whole, without)]
    assert shown[0] != shown[1], (
        f"check does not show Status.{name}: add a row to _status_section (iometer_exporter/cli/check.py)"
    )
    printed = [check._as_json(one, []) for one in (whole, without)]
    assert printed[0] != printed[1], f"check --json does not print Status.{name}"


def constants(module: Any, kind: type) -> dict[str, Any]:
    """The public constants of a type in a module."""
    return {name: value for name, value in vars(module).items() if isinstance(value, kind) and name.isupper()}


@pytest.mark.parametrize(
    ("module", "table"),
    [
        (metrics, (*FAMILIES, *PROBE_FAMILIES)),
        (
            provider_families,
            (*provider_families.PROVIDER_FAMILIES, *provider_families.INSTALLATION_FAMILIES),
        ),
    ],
    ids=["metrics", "provider"],
)
def test_every_family_is_in_its_table(module: Any, table: tuple[Family, ...]) -> None:
    forgotten = {name for name, family in constants(module, Family).items() if family not in table}
    assert forgotten == set(), (
        f"add {', '.join(sorted(forgotten))} to a group or a table at the end of {module.__name__}"
    )


def test_every_family_of_a_bridge_is_shown_for_some_simulated_one() -> None:
    shown = {
        name
        for faults in HOMES
        for name in re.findall(r"^# TYPE (\w+)", page(snapshot(faults)), re.MULTILINE)
    }
    ours = {family.name for family in FAMILIES if "bridge" in family.labels} - NOT_SIMULATED
    assert ours - shown == set(), (
        f"no simulated bridge shows {', '.join(sorted(ours - shown))}: yield it from counters, instantaneous "
        "or core_states (iometer_exporter/metrics/families.py), or in iometer_exporter/bridges/"
        "samples.py, and have the simulator send it (iometer_exporter/simulator/registers.py or bridge.py)"
    )


def test_every_family_of_a_bridge_is_in_a_golden_text() -> None:
    texts = "".join(file.read_text() for file in (payloads.FIXTURES / "golden").glob("*.prom"))
    ours = {family.name for family in FAMILIES if "bridge" in family.labels}
    forgotten = ours - set(re.findall(r"^# TYPE (\w+)", texts, re.MULTILINE))
    assert forgotten == set(), (
        f"no payload in tests/fixtures/payloads/ gives {', '.join(sorted(forgotten))}: add it to one, and "
        "run REGENERATE_GOLDEN=1 python -m pytest tests/metrics/test_families.py"
    )


def test_every_obis_code_has_its_meaning() -> None:
    codes = set(constants(obis, ObisCode).values())
    codes |= {
        code for codes in constants(obis, tuple).values() for code in codes if isinstance(code, ObisCode)
    }
    forgotten = codes - obis.KNOWN.keys()
    assert forgotten == set(), (
        f"say in KNOWN (iometer_exporter/meter/obis.py) what {', '.join(map(str, forgotten))} is"
    )


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """The names of its parameters, but for those that click gives to everybody."""
    given = function.args
    for each in (*given.posonlyargs, *given.args, *given.kwonlyargs):
        if not each.arg.startswith("_") and each.arg not in ("self", "cls", "ctx", "param"):
            yield each.arg


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "cli").rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_what_an_option_says_is_used(path: Path) -> None:
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and not function.name.startswith(
            "__"
        ):
            names = [node for body in function.body for node in ast.walk(body) if isinstance(node, ast.Name)]
            read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
            for name in parameters(function):
                assert name in read, f"{path.name}: {function.name}() takes {name} and does nothing with it"


def calls(*names: str) -> Iterator[ast.Call]:
    """Where the modules that read files call a function or method of one of these names."""
    for path in sorted((PACKAGE / "config").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = node.func
                if getattr(called, "id", None) in names or getattr(called, "attr", None) in names:
                    yield node


@pytest.mark.parametrize("kind", [Config, DiscoveryConfig, BridgeConfig, ProviderConfig])
def test_what_can_be_configured_is_read_from_the_file(kind: type[Any]) -> None:
    given = {keyword.arg for call in calls(kind.__name__) for keyword in call.keywords}
    forgotten = {field.name for field in fields(kind)} - given
    assert forgotten == set(), (
        f"take {', '.join(forgotten)} of {kind.__name__} from the file, where it is parsed"
    )


def test_every_key_of_the_file_is_in_the_page_of_configuration() -> None:
    texts = (ROOT / "docs" / name for name in ("configuration.md", "provider.md", "web-config.md"))
    pages = "".join(page.read_text() for page in texts)
    keys = {
        call.args[0].value
        for call in calls("take", "child", "items")
        if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    }
    assert {"timeout", "bridges", "shard"} <= keys
    for key in keys:
        assert re.search(rf"\b{key}\b", pages), f"docs/configuration.md does not say what the key {key} does"


def test_what_the_configuration_says_is_used() -> None:
    read: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                # The defaults are read where the file is parsed, which is no use of them.
                source = node.value
                if not (isinstance(source, ast.Call) or getattr(source, "id", "") == "defaults"):
                    read.add(node.attr)
    for kind in (Config, DiscoveryConfig, BridgeConfig, ProviderConfig):
        for field in fields(kind):
            assert field.name in read, f"{kind.__name__}.{field.name} is parsed and nobody reads it"


@pytest.mark.parametrize("reason", REJECTIONS)
def test_every_reason_to_refuse_a_reading_is_given_explained_and_alerted_on(reason: str) -> None:
    rules = (PACKAGE / "meter" / "guard.py").read_text() + (PACKAGE / "meter" / "history.py").read_text()
    assert rules.count(f'"{reason}"') > 1, f"no rule in meter/guard.py or meter/history.py gives {reason!r}"
    assert f"({reason})" in READINGS_REJECTED.help, (
        f"say what {reason} means in the help of READINGS_REJECTED (iometer_exporter/metrics/families.py)"
    )
    expr = re.sub(r"\$(job|bridge)", 'job="iometer"', REJECTED_ALERT.expr)
    expr = re.sub(r"\$\w+", "1", expr)
    matched = {
        matcher.value
        for selector in selectors(expr)
        for matcher in selector.matchers.matchers
        if matcher.name == "reason"
    }
    assert any(re.fullmatch(pattern, reason) for pattern in matched), (
        f"no alert looks at {reason}: add it to READINGS_REJECTED in prometheus/meter.py"
    )
    for page_name in (
        "docs/troubleshooting.md",
        "docs/robustness.md",
        "docs/alerts.md",
        "grafana/boards/health.py",
    ):
        text = (ROOT / page_name).read_text()
        assert re.search(rf"\b{reason}\b", text), f"{page_name} does not say what {reason} is"


class Noted(dict[str, Any]):
    """An object of an answer that notes which of its fields were read."""

    def __init__(self, path: str, read: set[str]) -> None:
        super().__init__()
        self._path, self._read = path, read

    def get(self, key: str, default: Any = None) -> Any:
        self._read.add(f"{self._path}.{key}")
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self._read.add(f"{self._path}.{key}")
        return super().__getitem__(key)


VALUES: Final = {
    "DateTime": "2024-12-31T12:00:00Z",
    "ObisCode": "01-00:01.08.00*ff",
    "Float": 1.5,
    "Int": 7,
    "Boolean": True,
}


class Answering:
    """An answer of the API to a document, with a value in every field that is asked for."""

    def __init__(self, document: str, schema: GraphQLSchema) -> None:
        definitions = parse(document).definitions
        self.asked: set[str] = set()
        self.read: set[str] = set()
        self._fragments = {
            each.name.value: each.selection_set
            for each in definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        [operation] = [each for each in definitions if isinstance(each, OperationDefinitionNode)]
        root = schema.get_root_type(operation.operation)
        assert root is not None
        self.data = self._object(operation.selection_set, root, "")

    def _object(self, chosen: SelectionSetNode, kind: GraphQLObjectType, path: str) -> Noted:
        found = Noted(path, self.read)
        self._fill(found, chosen, kind, path)
        return found

    def _fill(self, found: Noted, chosen: SelectionSetNode, kind: GraphQLObjectType, path: str) -> None:
        for each in chosen.selections:
            if isinstance(each, FragmentSpreadNode):
                self._fill(found, self._fragments[each.name.value], kind, path)
            elif isinstance(each, FieldNode):
                name = each.name.value
                self.asked.add(f"{path}.{name}")
                found[name] = self._value(kind.fields[name].type, each.selection_set, f"{path}.{name}")

    def _value(self, kind: Any, chosen: SelectionSetNode | None, path: str) -> Any:
        if isinstance(kind, GraphQLNonNull):
            return self._value(kind.of_type, chosen, path)
        if isinstance(kind, GraphQLList):
            return [self._value(kind.of_type, chosen, path)]
        if isinstance(kind, GraphQLObjectType):
            assert chosen is not None
            return self._object(chosen, kind, path)
        return next(iter(kind.values)) if isinstance(kind, GraphQLEnumType) else VALUES.get(kind.name, "x")


PARSERS: Final[dict[str, Any]] = {
    "ACCOUNT": lambda data: answers.provider(data["provider"]),
    "INSTALLATIONS": lambda data: answers.installations_page(data["provider"]),
    "INSTALLATION": lambda data: answers.installation(JsonObject(data["provider"]["installation"])),
    "SIGNING_KEY": lambda data: answers.signing_key(JsonObject(data["provider"]["signingKey"])),
    "LICENSE_POOL": lambda data: answers.license_pool(JsonObject(data["provider"]["licensePool"])),
    "READINGS": lambda data: answers.readings_page(data["provider"]["readings"]),
    "REGISTER_INSTALLATION": lambda data: answers.registration_token(
        JsonObject(data["createRegistrationToken"])
    ),
    "UPDATE_LICENSE": lambda data: answers.license_(JsonObject(data["updateLicense"])),
    "SUBSCRIBE_READINGS": lambda data: answers.meter_reading(JsonObject(data["readings"])),
    "SUBSCRIBE_SCHEDULED_READINGS": lambda data: answers.scheduled_reading(
        JsonObject(data["scheduledReadings"])
    ),
}
"""What the client makes of the answer to each document."""


def test_every_answer_has_its_parser() -> None:
    assert PARSERS.keys() == DOCUMENTS.keys()


@pytest.mark.parametrize("name", PARSERS)
def test_every_field_that_the_provider_is_asked_for_is_read(name: str) -> None:
    schema = build_schema((PACKAGE / "provider" / "api" / "schema.graphql").read_text())
    answering = Answering(DOCUMENTS[name], schema)
    parsed = PARSERS[name](answering.data)
    assert not getattr(parsed, "problems", ())
    unread = answering.asked - answering.read
    assert unread == set(), (
        f"{', '.join(sorted(unread))}: asked for in {name} and never read, read it in "
        "iometer_exporter/provider/api/answers.py"
    )


async def test_every_field_of_a_device_and_a_license_is_sent_by_the_simulated_cloud() -> None:
    place = "add it in iometer_exporter/simulator/cloud/ (fleet.py, licenses.py or resolvers.py)"
    async with ProviderSimulation(installations=CYCLE) as simulation:
        pair = simulation.credentials
        credentials = Credentials(pair.token, pair.secret, "", "")
        async with ProviderClient(simulation.url, credentials) as client:
            try:
                found = await client.installations(0, CYCLE)
            except ProviderError as error:
                pytest.fail(f"{place}: {error}")
    assert (found.errors, found.problems) == ((), ()), place
    for kind, names, values in (
        ("device", DEVICE_FIELDS, [one.current_device for one in found.installations]),
        ("license", LICENSE_FIELDS, [one.license for one in found.installations]),
    ):
        for name in names:
            sent = [getattr(value, name) for value in values if value is not None]
            assert any(value is not None for value in sent), f"no simulated {kind} has {name}: {place}"


def installed(**changes: Any) -> Installation:
    device = fleet.device(**{key: value for key, value in changes.items() if key in DEVICE_FIELDS})
    license_ = fleet.license_(
        **{"pool": LicensePool("p", "Pool", None, None, None)}
        | {key: value for key, value in changes.items() if key in LICENSE_FIELDS}
    )
    return fleet.installation(devices=(device,), current_device=device, license=license_)


DEVICE_FIELDS: Final = list(Device._fields)
LICENSE_FIELDS: Final = list(License._fields)

NOT_SERVED: Final = {"pool"}
"""Of a license: the pool has families of its own."""


@pytest.mark.parametrize("name", [*DEVICE_FIELDS, *LICENSE_FIELDS])
def test_every_field_of_a_device_and_a_license_is_served_and_printed(name: str) -> None:
    whole, without = installed(), installed(**{name: "other" if name == "id" else None})
    served = [fleet.lines(fleet.fleet(one)) for one in (whole, without)]
    assert (served[0] != served[1]) is (name not in NOT_SERVED), (
        f"{name} is in no metric: yield it in iometer_exporter/provider/served/installation.py"
    )
    printed = [installations_command._as_json(one) for one in (whole, without)]
    assert printed[0] != printed[1], (
        f"provider installations --json does not print {name}: "
        "add it in iometer_exporter/cli/provider/installations.py"
    )
