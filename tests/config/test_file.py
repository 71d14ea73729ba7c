from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from iometer_exporter.config.file import (
    BridgeConfig,
    Config,
    DiscoveryConfig,
    check_names,
    load_config,
    parse_bridge,
    parse_bridges,
    parse_config,
)
from iometer_exporter.config.provider import DEFAULT_URL, ProviderConfig, cleartext_warning
from iometer_exporter.errors import ConfigError
from iometer_exporter.net.addresses import Address

FULL = """
timeout: 5s
stale_after: 1h
max_power: 30kW
reset_after: 5m
discovery:
  enabled: false
  interfaces: [eth0, 192.168.1.2]
  forget_after: 48h
  limit: 20
bridges:
  - name: house
    host: 192.168.1.50
  - {name: heatpump, host: iometer-ec63e8.local, port: 8080, labels: {site: farm, floor: "2"}}
  - host: "fd00::1"
"""


def test_a_full_file() -> None:
    assert parse_config(FULL) == Config(
        timeout=5.0,
        stale_after=3600.0,
        max_power=30_000.0,
        reset_after=300.0,
        discovery=DiscoveryConfig(
            enabled=False, interfaces=("eth0", "192.168.1.2"), forget_after=172_800.0, limit=20
        ),
        bridges=(
            BridgeConfig(Address("192.168.1.50", 80), "house"),
            BridgeConfig(Address("iometer-ec63e8.local", 8080), "heatpump", {"site": "farm", "floor": "2"}),
            BridgeConfig(Address("fd00::1", 80), "[fd00::1]"),
        ),
    )


def test_the_defaults_are_those_of_the_contract() -> None:
    assert Config() == Config(
        timeout=10.0,
        stale_after=20 * 60.0,
        max_power=100_000.0,
        reset_after=10 * 60.0,
        discovery=DiscoveryConfig(enabled=True, interfaces=(), forget_after=24 * 3600.0, limit=250),
        bridges=(),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "# nothing set\n",
        "---\n",
        "null",
        "{}",
        "timeout:\nbridges:\ndiscovery:\n",
        "discovery: {}\nbridges: []\n",
    ],
)
def test_what_is_left_out_has_its_default(text: str) -> None:
    assert parse_config(text) == Config()


@pytest.mark.parametrize(
    ("text", "config"),
    [
        ("stale_after: 0", Config(stale_after=0.0)),
        ("stale_after: 0s", Config(stale_after=0.0)),
        ("reset_after: 0", Config(reset_after=0.0)),
        ("timeout: 500ms", Config(timeout=0.5)),
        ("timeout: 3", Config(timeout=3.0)),
        ("timeout: '2.5'", Config(timeout=2.5)),
        ("discovery: off", Config(discovery=DiscoveryConfig(enabled=False))),
        ("discovery: true", Config()),
        (
            "bridges: [192.168.1.50, house=192.168.1.51, {host: a}]",
            Config(
                bridges=(
                    BridgeConfig(Address("192.168.1.50"), "192.168.1.50"),
                    BridgeConfig(Address("192.168.1.51"), "house"),
                    BridgeConfig(Address("a"), "a"),
                )
            ),
        ),
        ("state_file: /data/state.json", Config(state_file="/data/state.json")),
        ("state_file: off", Config(state_file="")),
        ("state_file: 'off'", Config(state_file="")),
        ("state_file: ./off", Config(state_file="./off")),
        ("live: off", Config()),
        ("live: on", Config(live="on")),
        ("live: 'on'", Config(live="on")),
        ("live: auto", Config(live="auto")),
        ("discovery: {live: auto}", Config(discovery=DiscoveryConfig(live="auto"))),
        (
            "bridges: [{host: a, live: off}, {host: b, live: auto}]",
            Config(
                bridges=(
                    BridgeConfig(Address("a"), "a", live="off"),
                    BridgeConfig(Address("b"), "b", live="auto"),
                )
            ),
        ),
        (
            "power_buckets: [-1.5kW, -20, 0, 500W, '750.5W', 2000.0, 1MW]",
            Config(power_buckets=(-1500.0, -20.0, 0.0, 500.0, 750.5, 2000.0, 1e6)),
        ),
        ("bridges: [{host: a}]", Config(bridges=(BridgeConfig(Address("a"), "a"),))),
        (
            "bridges: [{host: a, port: 81}]",
            Config(bridges=(BridgeConfig(Address("a", 81), "a:81"),)),
        ),
        (
            "bridges: [&c {host: a, port: 81}, {<<: *c, port: 82}]",
            Config(bridges=(BridgeConfig(Address("a", 81), "a:81"), BridgeConfig(Address("a", 82), "a:82"))),
        ),
    ],
)
def test_single_settings(text: str, config: Config) -> None:
    assert parse_config(text) == config


NO_DURATION = "is not a duration, write a number and a unit such as 500ms, 10s, 20m or 24h"
NO_POWER = "is not a power, write a number and a unit such as 500W or 100kW"
NO_PATH = "is not a path: write one such as /var/lib/iometer-exporter/state.json"
NO_HOST = "is not a host, write a name or an IP address such as 192.168.1.50, without http:// and path"

KEYS = (
    "there are timeout, stale_after, max_power, reset_after, discovery, bridges, probe, provider, "
    "state_file, live, power_buckets"
)

BAD = {
    "timeot: 10s": "timeot: unknown key, did you mean 'timeout'?",
    "bridge: []": "bridge: unknown key, did you mean 'bridges'?",
    "discovery: {enable: true}": "discovery.enable: unknown key, did you mean 'enabled'?",
    "discovery: {interface: []}": "discovery.interface: unknown key, did you mean 'interfaces'?",
    "bridges: [{host: a, nmae: b}]": "bridges[0].nmae: unknown key, did you mean 'name'?",
    "bridges: [{host: a}, {host: b, prot: 1}]": "bridges[1].prot: unknown key, did you mean 'port'?",
    "1: 2": f"1: unknown key, {KEYS}",
    "web: {}": f"web: unknown key, {KEYS}",
    "TIMEOUT: 10s": "TIMEOUT: unknown key, did you mean 'timeout'?",
    "maxpower: 100kW": "maxpower: unknown key, did you mean 'max_power'?",
    "probe: {deny: []}": "probe.deny: unknown key, there are allow",
    "bridges: [{name: house, hots: 1.2.3.4}]": "bridges[0].hots: unknown key, did you mean 'host'?",
    "tls_server_config: {}": "is a web configuration, give it as --web.config.file",
    "basic_auth_users: {a: b}\ntimeout: 3s": "is a web configuration, give it as --web.config.file",
    "[a, b]": "the file holds a list, expected keys and values",
    "timeout": "the file holds the text 'timeout', expected keys and values",
    "12": "the file holds the value 12, expected keys and values",
    "2024-11-11": "the file holds a date, expected keys and values",
    "timeout: soon": f"timeout: 'soon' {NO_DURATION}",
    "timeout: 0": "timeout: is 0, expected a duration above it such as 10s",
    "state_file: ''": f"state_file: '' {NO_PATH}",
    'state_file: "a\\0b"': f"state_file: 'a\\x00b' {NO_PATH}",
    "state_file: true": "state_file: is the value true, expected a text (put it in quotes)",
    "state_file: [a]": "state_file: is a list, expected a text (put it in quotes)",
    "timeout: 0ms": "timeout: is 0, expected a duration above it such as 10s",
    "timeout: -1s": f"timeout: '-1s' {NO_DURATION}",
    "timeout: true": "timeout: is the value true, expected a text (put it in quotes)",
    "timeout: .inf": f"timeout: 'inf' {NO_DURATION}",
    "timeout: -3": f"timeout: '-3' {NO_DURATION}",
    "timeout: [10s]": "timeout: is a list, expected a text (put it in quotes)",
    "timeout: {s: 10}": "timeout: is a mapping, expected a text (put it in quotes)",
    "timeout: 2024-11-11": "timeout: is a date, expected a text (put it in quotes)",
    "discovery: {forget_after: 24 h}": f"discovery.forget_after: '24 h' {NO_DURATION}",
    "max_power: 100": f"max_power: '100' {NO_POWER}",
    "max_power: 100kWh": f"max_power: '100kWh' {NO_POWER}",
    "max_power: []": "max_power: is a list, expected a text (put it in quotes)",
    "discovery: maybe": "discovery: is the text 'maybe', expected keys and values",
    "discovery: [eth0]": "discovery: is a list, expected keys and values",
    "discovery: {enabled: 1}": "discovery.enabled: is the value 1, expected true or false",
    "discovery: {enabled: 'yes'}": "discovery.enabled: is the text 'yes', expected true or false",
    "discovery: {limit: 0}": "discovery.limit: is the value 0, expected a number from 1 to 1000",
    "discovery: {limit: 1001}": "discovery.limit: is the value 1001, expected a number from 1 to 1000",
    "discovery: {limit: true}": "discovery.limit: is the value true, expected a number from 1 to 1000",
    "discovery: {limit: 2.5}": "discovery.limit: is the value 2.5, expected a number from 1 to 1000",
    "discovery: {limit: all}": "discovery.limit: is the text 'all', expected a number from 1 to 1000",
    "discovery: {interfaces: eth0}": (
        "discovery.interfaces: is the text 'eth0', expected a list, write it in brackets: [eth0]"
    ),
    "discovery: {interfaces: [1]}": (
        "discovery.interfaces: is the value 1, expected a text (put it in quotes)"
    ),
    "bridges: 192.168.1.50": (
        "bridges: is the text '192.168.1.50', expected a list, write it in brackets: [192.168.1.50]"
    ),
    "bridges: {host: a}": "bridges: is a mapping, expected a list",
    "bridges: [192.168.1.50, 5]": "bridges[1]: is the value 5, expected keys and values",
    "bridges: [http://a/]": f"bridges[0]: 'http://a/' {NO_HOST}",
    "bridges: [{}]": "bridges[0]: has no host, add one such as host: 192.168.1.50",
    "bridges: [null]": "bridges[0]: has no host, add one such as host: 192.168.1.50",
    "bridges: [{name: house}]": "bridges[0]: has no host, add one such as host: 192.168.1.50",
    "bridges: [{host: 192.168.1.50:80}]": f"bridges[0].host: '192.168.1.50:80' {NO_HOST}",
    "bridges: [{host: http://a/}]": f"bridges[0].host: 'http://a/' {NO_HOST}",
    "bridges: [{host: ''}]": f"bridges[0].host: '' {NO_HOST}",
    "bridges: [{host: 5}]": "bridges[0].host: is the value 5, expected a text (put it in quotes)",
    "bridges: [{host: a, port: 0}]": "bridges[0].port: is the value 0, expected a number from 1 to 65535",
    "bridges: [{host: a, port: 65536}]": (
        "bridges[0].port: is the value 65536, expected a number from 1 to 65535"
    ),
    "bridges: [{host: a, port: true}]": (
        "bridges[0].port: is the value true, expected a number from 1 to 65535"
    ),
    "bridges: [{host: a, port: '80'}]": (
        "bridges[0].port: is the text '80', expected a number from 1 to 65535"
    ),
    "bridges: [{host: a, port: 8.5}]": "bridges[0].port: is the value 8.5, expected a number from 1 to 65535",
    "bridges: [{host: a, name: ''}]": "bridges[0].name: is empty, write a name or leave the key out",
    "bridges: [{host: a, name: 7}]": "bridges[0].name: is the value 7, expected a text (put it in quotes)",
    "live: always": "live: is the text 'always', expected one of off, auto, on",
    "live: 1": "live: is the value 1, expected one of off, auto, on",
    "bridges: [{host: a, live: []}]": "bridges[0].live: is a list, expected one of off, auto, on",
    "power_buckets: 5kW": "power_buckets: is the text '5kW', expected a list, write it in brackets: [5kW]",
    "power_buckets: []": "power_buckets: has 0 bounds, expected 1 to 60",
    "power_buckets: [1kW, 1000]": (
        "power_buckets: 1000 W follows 1000 W, write the bounds in ascending order"
    ),
    "power_buckets: [--1kW]": f"power_buckets: '-1kW' {NO_POWER}",
    "power_buckets: [.inf]": "power_buckets: is the value inf, expected a power such as -5kW",
    "power_buckets: [true]": "power_buckets: is the value true, expected a text (put it in quotes)",
    "bridges: [{host: a, labels: farm}]": "bridges[0].labels: is the text 'farm', expected keys and values",
    "bridges: [{host: a, labels: {site-name: x}}]": (
        "bridges[0].labels: 'site-name' is not a label name, use letters, digits and underscores"
    ),
    "bridges: [{host: a, labels: {2nd: x}}]": (
        "bridges[0].labels: '2nd' is not a label name, use letters, digits and underscores"
    ),
    "bridges: [{host: a, labels: {2: x}}]": (
        "bridges[0].labels: is the value 2, expected a text (put it in quotes)"
    ),
    "bridges: [{host: a, labels: {floor: 2}}]": (
        "bridges[0].labels: floor: is the value 2, expected a text (put it in quotes)"
    ),
    "bridges: [{host: a, name: x}, {host: b, name: x}]": (
        "bridges: two bridges are named 'x', give each a name of its own"
    ),
    "bridges: [{host: a, name: x}, {host: a, name: y}]": (
        "bridges: two bridges have the address a, remove one"
    ),
    "bridges: [{host: a, name: x}, {host: a, port: 80, name: y}]": (
        "bridges: two bridges have the address a, remove one"
    ),
    "timeout: 10s\ntimeout: 20s": "line 2: the key 'timeout' stands twice, remove one",
    "bridges:\n  - host: a\n    host: b": "line 3: the key 'host' stands twice, remove one",
    "timeout: [": "line 1: not valid YAML: expected the node content, but found '<stream end>'",
    "timeout: 10s\n bridges: []": "line 2: not valid YAML: mapping values are not allowed here",
    "a: b: c": "line 1: not valid YAML: mapping values are not allowed here",
    "\ttimeout: 10s": "line 1: not valid YAML: found character '\\t' that cannot start any token",
    "timeout: *missing": "line 1: not valid YAML: found undefined alias 'missing'",
    "timeout: !!python/object/apply:os.getcwd []": (
        "line 1: not valid YAML: could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/object/apply:os.getcwd'"
    ),
    "a: 1\n---\nb: 2": "line 2: not valid YAML: but found another document",
    "[a]: 1": "line 1: not valid YAML: found unhashable key",
    "? {a: b}\n: 1": "line 1: not valid YAML: found unhashable key",
    "timeout: 2024-13-45": "not valid YAML: month must be in 1..12",
    "timeout: \x00": (
        "not valid YAML: unacceptable character #x0000: special characters are not allowed "
        'in "<unicode string>", position 9'
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD.items())
def test_bad_configurations_name_the_key_and_what_is_expected(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert str(caught.value) == message


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """Unknown keys of a mapping before those that are missing; and nothing that only follows of another."""
    text = """
timout: 10s
max_power: lots
discovery: {enable: true, limit: 0}
bridges:
  - {name: a, hots: 1.2.3.4}
  - {name: b, prot: 1}
  - {name: c}
  - {name: d, host: http://d/}
  - {name: e, host: e}
  - {name: e, host: f}
provider: {page_size: 0, redings: poll}
"""
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert caught.value.problems == (
        f"max_power: 'lots' {NO_POWER}",
        "discovery.limit: is the value 0, expected a number from 1 to 1000",
        "discovery.enable: unknown key, did you mean 'enabled'?",
        "bridges[0].hots: unknown key, did you mean 'host'?",
        "bridges[1].prot: unknown key, did you mean 'port'?",
        "bridges[2]: has no host, add one such as host: 192.168.1.50",
        f"bridges[3].host: 'http://d/' {NO_HOST}",
        "provider.page_size: is the value 0, expected a number from 1 to 1000",
        "provider.redings: unknown key, did you mean 'readings'?",
        "timout: unknown key, did you mean 'timeout'?",
        "bridges: two bridges are named 'e', give each a name of its own",
    )
    assert str(caught.value) == "; ".join(caught.value.problems)


@pytest.mark.no_cover
def test_a_file_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^not valid YAML: maximum recursion depth exceeded"):
        parse_config("[" * 600)


def test_a_file_is_read_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "exporter.yaml"
    path.write_text("bridges: [{host: a, name: Zähler}]", encoding="utf-8")
    assert load_config(path).bridges == (BridgeConfig(Address("a"), "Zähler"),)


def test_what_is_wrong_in_a_file_is_told_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "exporter.yaml"
    path.write_text("timeot: 10s")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == f"{path}: timeot: unknown key, did you mean 'timeout'?"


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "exporter.yaml"
    path.write_bytes("bridges: [{host: a, name: Zähler}]".encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == f"{path}: is not UTF-8 text"


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing.yaml"
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == f"cannot read {path}: No such file or directory"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)
    assert str(caught.value) == f"cannot read {tmp_path}: Is a directory"


@pytest.mark.parametrize(
    ("text", "bridge"),
    [
        ("192.168.1.50", BridgeConfig(Address("192.168.1.50"), "192.168.1.50")),
        ("house=192.168.1.50:81", BridgeConfig(Address("192.168.1.50", 81), "house")),
        ("a b=[fd00::1]", BridgeConfig(Address("fd00::1"), "a b")),
        ("[fd00::1]:80", BridgeConfig(Address("fd00::1"), "[fd00::1]:80")),
    ],
)
def test_a_bridge_on_the_command_line_is_named_or_named_as_given(text: str, bridge: BridgeConfig) -> None:
    assert parse_bridge(text) == bridge


SEVERAL = (
    "looks like several bridges, write one; a name with a comma is for the key name of the configuration file"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=a", "'=a' has no name before the '=', write NAME=HOST[:PORT] or HOST[:PORT]"),
        ("house=", f"'' {NO_HOST}"),
        ("", f"'' {NO_HOST}"),
        (
            "a=b=[fd00::1]",
            "'a=b=[fd00::1]' has more than one '=', write NAME=HOST[:PORT]; "
            "a name with '=' is for the configuration file",
        ),
        ("a=127.0.0.1:1,b=127.0.0.1:2", f"'a=127.0.0.1:1,b=127.0.0.1:2' {SEVERAL}"),
        ("127.0.0.1,127.0.0.2", f"'127.0.0.1,127.0.0.2' {SEVERAL}"),
        ("a,b=127.0.0.1", f"'a,b=127.0.0.1' {SEVERAL}"),
        ("house=a:b", "'b' is not a port, write a number from 1 to 65535"),
    ],
)
def test_a_bad_bridge_on_the_command_line_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_bridge(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a=h", ["a"]),
        ("a=h,b=i", ["a", "b"]),
        ("a=h b=i", ["a", "b"]),
        (" a=h ,\n b=i:81,, [fd00::1] ", ["a", "b", "[fd00::1]"]),
        ("192.168.1.50 b=i", ["192.168.1.50", "b"]),
        ("h, b=i", ["h", "b"]),
        ("h i", ["h", "i"]),
    ],
)
def test_several_bridges_in_one_text(text: str, names: list[str]) -> None:
    assert [bridge.name for bridge in parse_bridges(text)] == names


@pytest.mark.parametrize("text", ["My House=192.168.1.50", "a=h My House=i", "a=h,My House=i"])
def test_a_space_that_may_be_part_of_a_name_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^'My' before 'House=.*' is a bridge or part of a name: write"):
        parse_bridges(text)


@given(st.text() | st.text(alphabet="a=b:,. 1[]\n", max_size=20))
def test_any_text_is_bridges_or_an_error(text: str) -> None:
    """And never is what separates bridges part of a name or a host."""
    try:
        bridges = parse_bridges(text)
    except ConfigError:
        return
    for bridge in bridges:
        assert not set(", \n=") & set(f"{bridge.name}{bridge.address}")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("house:192.168.1.50", "house=192.168.1.50"),
        ("house:iometer-a.local", "house=iometer-a.local"),
        ("house:192.168.1.50:81", "house=192.168.1.50:81"),
    ],
)
def test_a_colon_in_place_of_the_equals_sign(text: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"; did you mean {meant}\\?$"):
        parse_bridge(text)


@pytest.mark.parametrize("text", ["house:99999999", "fd00:::1", "http://house:80"])
def test_other_colons_are_not_taken_for_it(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_bridge(text)
    assert "did you mean" not in str(caught.value)


def test_bridges_with_names_and_addresses_of_their_own_are_fine() -> None:
    check_names([parse_bridge("a=h"), parse_bridge("b=h:81"), parse_bridge("c=i")])


keys = st.sampled_from(
    ["timeout", "stale_after", "max_power", "discovery", "bridges", "host", "port", "name", "labels", "x"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@given(st.text() | st.text(alphabet="{}[]:,-&*!?|>\"'\n\t a1", max_size=30) | values.map(yaml.safe_dump))
def test_any_text_is_a_configuration_or_a_configuration_error(text: str) -> None:
    try:
        parse_config(text)
    except ConfigError as error:
        message = str(error)
        assert message


def test_a_name_that_no_page_could_show_is_refused() -> None:
    with pytest.raises(ConfigError, match="has characters that cannot be shown, leave them out"):
        parse_bridge("a\udcffb=127.0.0.1")
    with pytest.raises(ConfigError, match=r"^bridges\[0\].name: 'a\\nb' has characters that cannot be shown"):
        parse_config('bridges: [{name: "a\\nb", host: h}]')
    with pytest.raises(ConfigError, match=r"^bridges\[0\].labels: 'a\\nb' has characters"):
        parse_config('bridges: [{labels: {x: "a\\nb"}, host: h}]')


def test_the_networks_of_a_probe() -> None:
    config = parse_config("probe: {allow: [192.168.0.0/16, fd00::/8]}")
    assert [str(network) for network in config.probe_allow] == ["192.168.0.0/16", "fd00::/8"]
    assert parse_config("probe: {allow: []}").probe_allow == ()
    for text, message in (
        (
            "probe: {allow: [192.168.0.1/16]}",
            r"probe.allow: 192.168.0.1/16 has host bits set, write a network",
        ),
        ("probe: {allow: [lan]}", r"probe.allow: 'lan' does not appear to be an IPv4 or IPv6 network, write"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_config(text)


def test_the_provider_section() -> None:
    config = parse_config(
        "provider:\n"
        "  url: http://[::1]:8080/v1/query\n"
        "  token_file: /run/secrets/iometer-token\n"
        "  secret_file: secret\n"
        "  inventory_interval: 90s\n"
        "  page_size: 50\n"
        "  readings: poll\n"
        "  shard: 2/8\n"
    )
    assert config.provider == ProviderConfig(
        url="http://[::1]:8080/v1/query",
        token_file=Path("/run/secrets/iometer-token"),
        secret_file=Path("secret"),
        inventory_interval=90.0,
        page_size=50,
        readings="poll",
        shard=(2, 8),
    )


def test_the_provider_is_the_vendors_unless_it_is_left_out() -> None:
    for text in ("", "provider:\n", "provider: null\n"):
        assert parse_config(text).provider is None
    # The credentials come from the environment.
    assert parse_config("provider: {}\n").provider == ProviderConfig(
        url="https://provider-api.prod.iometer.cloud/v1/query",
        token_file=None,
        secret_file=None,
        inventory_interval=300.0,
        page_size=100,
        readings="subscribe",
        shard=(1, 1),
    )


def test_off_may_be_written_without_quotes() -> None:
    for text in ("off", "'off'"):
        config = parse_config(f"provider: {{readings: {text}}}").provider
        assert config is not None
        assert config.readings == "off"


@pytest.mark.parametrize(
    "url",
    [DEFAULT_URL, "http://127.0.0.1:18180/q", "http://[::1]/q", "http://localhost/q", "https://cloud/q"],
)
def test_addresses_that_are_safe_for_credentials(url: str) -> None:
    assert cleartext_warning(url) is None


@pytest.mark.parametrize("host", ["cloud.example", "192.168.1.2", "fd00::1", "127.0.0.1.example"])
def test_addresses_on_the_way_to_which_credentials_can_be_read(host: str) -> None:
    url = f"http://{f'[{host}]' if ':' in host else host}:8080/q"
    assert cleartext_warning(url) == (
        f"token and secret travel unencrypted to {host}: write https instead of http into provider.url"
    )


_URL = "write one such as https://provider-api.prod.iometer.cloud/v1/query"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("provider: 5", "provider: is the value 5, expected keys and values"),
        ("provider: [a]", "provider: is a list, expected keys and values"),
        ("provider: {ulr: x}", "provider.ulr: unknown key, did you mean 'url'?"),
        ("provider: {url: 5}", "provider.url: is the value 5, expected a text (put it in quotes)"),
        ("provider: {url: x}", f"provider.url: 'x' is no URL of http or https, {_URL}"),
        ("provider: {url: 'ftp://x/'}", f"provider.url: 'ftp://x/' is no URL of http or https, {_URL}"),
        ("provider: {url: 'https:///q'}", f"provider.url: 'https:///q' is no URL of http or https, {_URL}"),
        ("provider: {url: 'http://x:y/'}", f"provider.url: this is no URL, {_URL}"),
        (
            "provider: {url: 'http://x/#a'}",
            f"provider.url: 'http://x/#a' is no URL that can be asked, {_URL}",
        ),
        (
            "provider: {url: 'http://x/a b'}",
            f"provider.url: 'http://x/a b' is no URL that can be asked, {_URL}",
        ),
        (
            "provider: {url: 'https://me:pass@x/'}",
            "provider.url: the URL has a user or password in it, "
            "put token and secret into files of their own",
        ),
        (
            "provider: {url: 'http://a_b!/'}",
            "provider.url: 'a_b!' is not a host, write a name or an IP address such as 192.168.1.50, "
            "without http:// and path",
        ),
        (
            "provider: {token_file: 5}",
            "provider.token_file: is the value 5, expected a text (put it in quotes)",
        ),
        (
            "provider: {secret_file: ''}",
            "provider.secret_file: is empty, write the path of a file or leave the key out",
        ),
        (
            "provider: {inventory_interval: 5s}",
            "provider.inventory_interval: is the text '5s', expected a duration of 10s or more",
        ),
        (
            "provider: {inventory_interval: 5 min}",
            "provider.inventory_interval: '5 min' is not a duration, write a number and a unit such as "
            "500ms, 10s, 20m or 24h",
        ),
        ("provider: {page_size: 0}", "provider.page_size: is the value 0, expected a number from 1 to 1000"),
        (
            "provider: {page_size: 1e9}",
            "provider.page_size: is the text '1e9', expected a number from 1 to 1000",
        ),
        (
            "provider: {page_size: true}",
            "provider.page_size: is the value true, expected a number from 1 to 1000",
        ),
        (
            "provider: {readings: live}",
            "provider.readings: is the text 'live', expected one of subscribe, poll, off",
        ),
        (
            "provider: {readings: on}",
            "provider.readings: is the value true, expected one of subscribe, poll, off",
        ),
        *(
            (
                f"provider: {{shard: {shard}}}",
                f"provider.shard: is the text '{shard}', expected i/n such as 2/8, the part of this exporter "
                "and how many there are, at most 1024; or auto/8, where the pods of a StatefulSet are "
                "numbered",
            )
            for shard in (
                "0/8",
                "9/8",
                "1/0",
                "1/",
                "1/8/2",
                "a/b",
                "1/2000",
                "auto",
                "auto/0",
                "auto/1025",
                "Auto/8",
            )
        ),
        ("provider: {shard: 2}", "provider.shard: is the value 2, expected a text (put it in quotes)"),
    ],
)
def test_a_provider_section_that_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert str(caught.value) == message
    assert "pass@" not in str(caught.value)
