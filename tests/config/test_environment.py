import pytest

from iometer_exporter.config.environment import OPTION_VARIABLES, unknown_variables, variable


@pytest.mark.parametrize(
    ("option", "command", "name"),
    [
        ("--web.listen-address", "", "IOMETER_EXPORTER_WEB_LISTEN_ADDRESS"),
        ("--discovery/--no-discovery", "", "IOMETER_EXPORTER_DISCOVERY"),
        ("--port", "simulate-provider", "IOMETER_EXPORTER_SIMULATE_PROVIDER_PORT"),
    ],
)
def test_the_name_of_a_variable(option: str, command: str, name: str) -> None:
    assert variable(option, command) == name


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("TIMOUT", "TIMEOUT"),
        ("BRIDGES", "BRIDGE"),
        ("WEB_LISTEN_ADRESS", "WEB_LISTEN_ADDRESS"),
        ("CONFIG", "CONFIG_FILE"),
        ("PORT", None),
        ("ZZZ", None),
    ],
)
def test_a_variable_that_nobody_knows(name: str, near: str | None) -> None:
    [sentence] = unknown_variables({f"IOMETER_EXPORTER_{name}": "9000", "PATH": "/bin"})
    assert sentence.startswith(f"IOMETER_EXPORTER_{name} is not a variable of this program")
    if near is None:
        assert "did you mean" not in sentence
    else:
        assert sentence.endswith(f", did you mean IOMETER_EXPORTER_{near}?")


def test_what_is_known_is_not_told() -> None:
    known = [*OPTION_VARIABLES, "IOMETER_EXPORTER_PROVIDER_TOKEN", "IOMETER_EXPORTER_PROVIDER_SECRET"]
    assert list(unknown_variables(dict.fromkeys(known, "x"))) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVICE_HOST", "10.96.0.7"),
        ("SERVICE_PORT", "10180"),
        ("SERVICE_PORT_HTTP", "10180"),
        ("PORT", "tcp://10.96.0.7:10180"),
        ("PORT_10180_TCP", "tcp://10.96.0.7:10180"),
        ("PORT_10180_TCP_PROTO", "tcp"),
        ("PORT_10180_TCP_PORT", "10180"),
        ("PORT_10180_TCP_ADDR", "10.96.0.7"),
        ("BARN_SERVICE_HOST", "10.96.0.8"),
        ("BARN_PORT", "tcp://10.96.0.8:10180"),
        ("BARN_PORT_10180_TCP_ADDR", "10.96.0.8"),
    ],
)
def test_links_of_kubernetes_to_a_service_are_not_told(name: str, value: str) -> None:
    assert list(unknown_variables({f"IOMETER_EXPORTER_{name}": value})) == []
