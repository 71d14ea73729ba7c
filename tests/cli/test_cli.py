"""The command line: what is said, where, and with which exit code."""

import gc
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from iometer_exporter import __version__
from iometer_exporter.bridges.discovery.announcements import Service
from iometer_exporter.bridges.discovery.browser import Discovery
from iometer_exporter.cli import cli
from iometer_exporter.config.environment import OPTION_VARIABLES, variable
from iometer_exporter.config.file import Config
from iometer_exporter.errors import IOmeterError
from iometer_exporter.net.addresses import Address
from iometer_exporter.simulator import FAULTS, SITUATIONS
from iometer_exporter.simulator.cloud.faults import PROVIDER_FAULTS
from iometer_exporter.web import server
from tests import documents
from tests.commands import Done, run
from tests.processes import CLEAN_ENVIRONMENT, COMMAND, exporter, get, is_ready, started
from tests.rawserver import Handler, answering, bridge, hanging, response, served
from tests.waiting import eventually


def invoke(*words: str) -> Result:
    return CliRunner().invoke(cli, words, prog_name="iometer-exporter")


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        yield from below(name, command)


def below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield name, command
    if isinstance(command, click.Group):
        for word, inner in command.commands.items():
            yield from below(f"{name} {word}", inner)


def test_the_commands_are_those_of_the_design() -> None:
    assert [name for name, _ in commands()] == [
        "serve",
        "check",
        "discover",
        "simulate",
        "simulate provider",
        "demo",
        "config check",
        "provider status",
        "provider installations",
        "provider token create",
        "provider license set-term",
        "provider license set-end",
        "provider watch",
        "provider backfill",
        "hash-password",
        "healthcheck",
    ]


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=[name for name, _ in commands()])
def test_every_command_and_option_has_help(name: str, command: click.Command) -> None:
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"


WITHOUT_VARIABLE = {"--json", "--yes", "--list-faults"}
OWN_VARIABLES = {
    "discover": "discover",
    "simulate": "simulate",
    "demo": "simulate",
    "simulate provider": "simulate-provider",
    "healthcheck": "healthcheck",
}
"""Commands with variables of their own, for options that `serve` has not, and what these begin with."""


def options_with_variable(command: click.Command) -> list[click.Option]:
    return [
        each
        for each in command.params
        if isinstance(each, click.Option) and not WITHOUT_VARIABLE & {*each.opts}
    ]


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=[name for name, _ in commands()])
def test_every_option_has_its_environment_variable(name: str, command: click.Command) -> None:
    """One variable means one thing: what `--timeout` waits for is not the same everywhere."""
    serve = cli.get_command(click.Context(cli), "serve")
    assert serve is not None
    shared = {each.opts[0] for each in options_with_variable(serve)} - {"--timeout"}
    for each in options_with_variable(command):
        own = OWN_VARIABLES.get(name, "")
        if each.opts[0] == "--timeout" and name.startswith("provider "):
            own = "provider"
        assert each.envvar == variable(each.opts[0], "" if each.opts[0] in shared else own)


def test_the_list_of_variables_is_whole() -> None:
    found = {each.envvar for _, command in commands() for each in options_with_variable(command)}
    assert found == OPTION_VARIABLES


def test_version_and_help() -> None:
    assert invoke("-V").output == invoke("--version").output
    assert invoke("--version").output == f"iometer-exporter {__version__}\n"
    assert run("-h").stdout.startswith("Usage: iometer-exporter [OPTIONS] COMMAND")


def test_the_process_says_and_ends_as_the_command_does(tmp_path: Path) -> None:
    """What the other tests see of a command in their own process."""
    file = tmp_path / "config.yml"
    file.write_text("bridges: [{host: 192.0.2.1}]\n")
    for words, code in ((("config", "check", str(file)), 0), (("check", "--config.file", "/nope"), 1)):
        done = subprocess.run(
            [*COMMAND, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            env=CLEAN_ENVIRONMENT,
        )
        assert done.returncode == code
        assert run(*words) == Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["serv"], "Error: No such command 'serv'. Did you mean 'serve'?"),
        (["serve", "--timout", "3s"], "Error: No such option '--timout'. Did you mean '--timeout'?"),
        (
            ["serve", "--timeout", "3 s"],
            "'3 s' is not a duration, write a number and a unit such as 500ms, 10s, 20m or 24h",
        ),
        (["serve", "--timeout", "0"], "'0' is not a time to wait, write one above 0 such as 10s"),
        (
            ["serve", "--bridge", "http://x"],
            "'http://x' is not a host, write a name or an IP address such as 192.168.1.50, "
            "without http:// and path",
        ),
        (
            ["serve", "--bridge", "My House=192.168.1.50"],
            "'My' before 'House=192.168.1.50' is a bridge or part of a name: write NAME=HOST[:PORT] for each "
            "bridge; a name with a space is for the configuration file",
        ),
        (
            ["serve", "--bridge", "house:192.168.1.50"],
            "Invalid value for '--bridge': '192.168.1.50' is not a port, write a number from 1 to 65535; "
            "did you mean house=192.168.1.50?",
        ),
        (["serve", "--bridge", "a=x b=x"], "two bridges have the address x, remove one"),
        (["simulate", "--fault", "battery-low@5"], "is for bridge 5, but there are only 1"),
        (["simulate", "provider", "--interval", "1500ms"], "cannot be, choose whole seconds"),
        (["healthcheck", "--web.listen-address", "10180"], "write :10180, 127.0.0.1:10180 or [::1]:10180"),
        (
            ["serve", "--bridge", "=x"],
            "'=x' has no name before the '=', write NAME=HOST[:PORT] or HOST[:PORT]",
        ),
        (
            ["serve", "--bridge", "a=x", "--bridge", "a=y"],
            "two bridges are named 'a', give each a name of its own",
        ),
        (
            ["serve", "--web.listen-address", "10180"],
            "'10180' is not a listen address, write :10180, 127.0.0.1:10180 or [::1]:10180",
        ),
        (["serve", "--log.format", "xml"], "'xml' is not one of 'logfmt', 'json'."),
        (["simulate", "--fault", "spice"], "there is no fault 'spice', the nearest is 'spike'"),
        (["check", "http://x"], "without http:// and path"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(words: list[str], text: str) -> None:
    result = invoke(*words)
    assert result.exit_code == 2
    assert last_line(result.output).endswith(text)


def test_a_good_configuration_is_said_to_be(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("bridges: [{host: 192.0.2.1}]\n")
    result = run("config", "check", str(file))
    assert (result.returncode, result.stdout) == (0, f"{file}: good, 1 bridge configured, discovery on\n")


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--no-discovery", "--web.listen-address", f"127.0.0.1:{port}")
    assert (result.returncode, result.stderr) == (
        1,
        f"Error: cannot listen on 127.0.0.1:{port}: the port is in use, stop the other program or choose "
        "another with --web.listen-address\n",
    )


def healthy(**changes: object) -> Handler:
    return bridge(lambda: documents.reading(time.time()), lambda: documents.status(**changes))  # type: ignore[arg-type]


def core(**changes: object) -> dict[str, object]:
    states = {"connectionStatus": "connected", "attachmentStatus": "attached", "pinStatus": "entered"}
    return states | changes


def test_check_of_a_good_bridge() -> None:
    with served(healthy()) as address:
        result = run("check", str(address))
    assert result.returncode == 0
    assert result.stderr == ""
    for line in (
        f"Bridge {address}: answers",
        "  1-0:1.8.0   12345.6789  kWh   energy drawn from the grid, total",
        "  1-0:16.7.0          10  W     power now, negative while feeding in",
        "  battery          80%",
        "Nothing is wrong.",
    ):
        assert line in result.stdout.splitlines()


@pytest.mark.parametrize(
    ("handler", "what", "advice"),
    [
        (bridge(lambda: b"", lambda: b""), "404 for both the reading and the status", "unlock the local API"),
        (bridge(lambda: b"", documents.status), "the bridge has no reading yet", "wait some minutes"),
        (
            healthy(core=core(pinStatus="missing")),
            "the PIN of the meter is missing: it shows only whole kWh and no power",
            "enter it in the IOmeter app",
        ),
        (
            healthy(core=core(attachmentStatus="detached")),
            "the core is detached from the meter",
            "put it back",
        ),
        (
            healthy(core={"connectionStatus": "disconnected"}),
            "the core does not reach the bridge",
            "bring the bridge nearer",
        ),
        (healthy(core=core(batteryLevel=7)), "the battery of the core is at 7%", "replace the batteries now"),
        (answering(response(b"<html>")), "what answers is a web page", "another device, such as a router"),
        (answering(response(b"", status="401 No")), "asks for a login (status 401)", "another device"),
        (answering(response(b"hello")), "what it sends is not JSON", "no other device"),
        (hanging, "no complete answer within 0.3 s", "give it more time with --timeout"),
    ],
)
def test_check_says_what_is_wrong_and_what_to_do(handler: Handler, what: str, advice: str) -> None:
    with served(handler) as address:
        result = run("check", str(address), "--timeout", "300ms")
    assert result.returncode == 1
    problems = result.stdout.partition("What is wrong, and what to do:\n")[2]
    assert what in problems
    assert advice in problems
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("127.0.0.1:1", "Connection refused"),
        ("bridge.invalid", "host name 'bridge.invalid' does not resolve"),
    ],
)
def test_check_of_nobody(host: str, what: str) -> None:
    result = run("check", host)
    assert result.returncode == 1
    assert what in result.stdout


def test_check_as_json() -> None:
    with served(healthy()) as address:
        result = run("check", str(address), "--json")
    found = json.loads(result.stdout)
    assert found["up"] is True
    assert found["reading"]["registers"][0] == {
        "obis": "1-0:1.8.0",
        "value": 12345678.9,
        "unit": "Wh",
        "meaning": "energy drawn from the grid, total",
    }
    assert (found["status"]["battery_ratio"], found["problems"], found["failures"]) == (0.8, [], {})


def test_check_as_json_of_nobody() -> None:
    found = json.loads(run("check", "127.0.0.1:1", "--json").stdout)
    assert (found["reading"], found["status"]) == (None, None)
    assert found["failures"] == {"reading": "connect", "status": "connect"}


def test_discover_lists_bridges() -> None:
    with ExitStack() as stack:
        command = [*COMMAND, "simulate", "--port", "0", "--mdns", "--mdns-interface", "127.0.0.1"]
        command += ["--seed", str(os.getpid())]
        simulator = stack.enter_context(
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=CLEAN_ENVIRONMENT)
        )
        stack.callback(simulator.terminate)
        assert simulator.stdout is not None
        name = simulator.stdout.readline().split()[1]

        def is_listed() -> bool:
            # Other bridges may be announced on this host at the same time. The first question, whose answer
            # goes to one socket, may be answered to another process of this host; the next one comes later.
            listed = run("discover", "--interface", "127.0.0.1", "--timeout", "1500ms")
            return name in [line.split()[0] for line in listed.stdout.splitlines()[1:]]

        eventually(is_listed)


def test_discover_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Service(
        "IOmeter-AB12CD", "iometer-ab12cd.local", (Address("127.0.0.1", 8001), Address("::1", 8001))
    )
    monkeypatch.setattr(Discovery, "services", lambda _self: (found,))
    result = invoke("discover", "--interface", "127.0.0.1", "--timeout", "1ms", "--json")
    assert json.loads(result.output) == [
        {
            "name": "IOmeter-AB12CD",
            "host": "iometer-ab12cd.local",
            "addresses": ["127.0.0.1", "::1"],
            "port": 8001,
        }
    ]


def test_discover_lists_bridges_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Service(name, "", (Address(f"10.0.0.{index}"),)) for index, name in enumerate("cab")]
    monkeypatch.setattr(Discovery, "services", lambda _self: found)
    result = invoke("discover", "--interface", "127.0.0.1", "--timeout", "1ms")
    assert [line.split() for line in result.output.splitlines()[1:]] == [
        ["a", "10.0.0.1"],
        ["b", "10.0.0.2"],
        ["c", "10.0.0.0"],
    ]


def test_discover_says_when_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Discovery, "services", lambda _self: ())
    nothing = invoke("discover", "--interface", "127.0.0.1", "--timeout", "1ms")
    assert nothing.output == ""
    assert isinstance(nothing.exception, IOmeterError)
    assert str(nothing.exception).startswith("no bridge has announced itself")


ServedWith = Callable[..., tuple[Config, str]]


@pytest.fixture
def served_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedWith]:
    """Runs `serve` up to where it serves; gives with what it would, and what it has said on stderr."""
    taken: list[Config] = []

    async def serve(load: Callable[[], Config], sockets: Sequence[socket.socket], **_: object) -> None:
        for each in sockets:
            each.close()
        taken.append(load())

    def served_with(*words: str, env: dict[str, str] | None = None) -> tuple[Config, str]:
        done = run("serve", "--web.listen-address", "127.0.0.1:0", *words, env=env)
        assert (done.returncode, done.stdout) == (0, "")
        return taken.pop(), done.stderr

    monkeypatch.setattr(server, "serve", serve)
    yield served_with
    # As it is once the exporter serves.
    gc.enable()


def names_of(config: Config) -> list[str]:
    return [each.name for each in config.bridges]


@pytest.mark.parametrize("separator", [",", " ", ", ", "\n"])
def test_several_bridges_in_one_variable_or_flag(served_with: ServedWith, separator: str) -> None:
    text = separator.join(["env1=127.0.0.1:2", "127.0.0.1:3", "env2=127.0.0.1:4"])
    config, _ = served_with("--no-discovery", env={"IOMETER_EXPORTER_BRIDGE": text})
    assert names_of(config) == ["env1", "127.0.0.1:3", "env2"]
    config, _ = served_with("--no-discovery", "--bridge", text, "--bridge", "e=127.0.0.1:5")
    assert names_of(config) == ["env1", "127.0.0.1:3", "env2", "e"]


def test_a_variable_is_named_where_the_value_came_from_it() -> None:
    hint = "(env var: 'IOMETER_EXPORTER_TIMEOUT')"
    wrong = CliRunner().invoke(cli, ["serve"], env={"IOMETER_EXPORTER_TIMEOUT": "soon"})
    assert f"Invalid value for '--timeout' {hint}: 'soon' is not a duration" in wrong.output
    flag = CliRunner().invoke(cli, ["serve", "--timeout", "soon"], env={"IOMETER_EXPORTER_TIMEOUT": "3s"})
    assert "Invalid value for '--timeout': 'soon' is not a duration" in flag.output
    switch = CliRunner().invoke(cli, ["serve"], env={"IOMETER_EXPORTER_DISCOVERY": "maybe"})
    assert last_line(switch.output) == (
        "Error: Invalid value for '--discovery' (env var: 'IOMETER_EXPORTER_DISCOVERY'): "
        "'maybe' is neither true nor false"
    )


def test_variables_that_nobody_knows_are_a_warning(served_with: ServedWith, tmp_path: Path) -> None:
    env = {
        "IOMETER_EXPORTER_TIMOUT": "3s",
        "IOMETER_EXPORTER_SERVICE_HOST": "10.0.0.1",
        "IOMETER_EXPORTER_PORT": "tcp://10.0.0.1:10180",
    }
    file = tmp_path / "config.yml"
    file.write_text("discovery: off\nbridges: [127.0.0.1:1]\n")
    sentence = (
        "IOMETER_EXPORTER_TIMOUT is not a variable of this program, did you mean IOMETER_EXPORTER_TIMEOUT?"
    )
    _, said = served_with("--config.file", str(file), env=env)
    [warning] = [line for line in said.splitlines() if "level=warning" in line]
    assert warning.endswith(f'msg="{sentence}"')
    checked = run("config", "check", str(file), env=env)
    assert (checked.returncode, checked.stderr) == (0, f"Warning: {sentence}\n")


@pytest.mark.parametrize("level", ["warn", "warning", "WARN"])
def test_a_level_is_written_as_in_go_or_as_in_python(level: str) -> None:
    result = run("check", "127.0.0.1:1", "--log.level", level)
    assert "level=warning" in result.stderr


def test_list_faults_tells_situations_from_faults() -> None:
    for command in ("simulate", "demo"):
        result = invoke(command, "--list-faults")
        assert result.exit_code == 0
        faults, situations = result.output.split("\n\n")
        assert faults.splitlines()[0].split() == ["FAULT", "WHAT", "THE", "BRIDGE", "DOES"]
        assert {line.split()[0] for line in situations.splitlines()[1:]} == SITUATIONS
        assert {line.split()[0] for line in faults.splitlines()[1:]} == FAULTS.keys() - SITUATIONS
    listed = invoke("simulate", "provider", "--list-faults").output.splitlines()[1:]
    assert {line.split()[0] for line in listed} == PROVIDER_FAULTS.keys()


@pytest.mark.parametrize("name", ["_IOMETER_EXPORTER_COMPLETE", "IOMETER_EXPORTER_COMPLETE"])
def test_the_shell_completes_commands_and_faults(name: str) -> None:
    script = run(env={name: "bash_source"})
    assert script.returncode == 0
    assert name in script.stdout

    def completed(words: str) -> list[str]:
        env = {name: "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        return run(env=env).stdout.split()

    assert completed("iometer-exporter heal") == ["plain,healthcheck"]
    assert completed("iometer-exporter simulate --fault batt") == ["plain,battery-low"]
    assert completed("iometer-exporter serve --log.level w") == ["plain,warn"]


def test_flags_beat_the_environment_and_that_the_file(served_with: ServedWith, tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("bridges: [{name: file, host: 127.0.0.1, port: 1}]\ndiscovery: {enabled: true}\n")
    from_file = {"IOMETER_EXPORTER_CONFIG_FILE": str(file), "IOMETER_EXPORTER_DISCOVERY": "false"}
    from_environment = {"IOMETER_EXPORTER_BRIDGE": "env1=127.0.0.1:2 env2=127.0.0.1:3"}
    config, _ = served_with(env=from_file)
    assert (names_of(config), config.discovery.enabled) == (["file"], False)
    config, _ = served_with(env=from_file | from_environment)
    assert names_of(config) == ["env1", "env2"]
    config, _ = served_with("--bridge", "flag=127.0.0.1:4", env=from_file | from_environment)
    assert names_of(config) == ["flag"]


def test_the_timeout_of_the_flag_counts(served_with: ServedWith, tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("timeout: 20s\n")
    assert served_with("--config.file", str(file))[0].timeout == 20
    assert served_with("--config.file", str(file), "--timeout", "200ms")[0].timeout == 0.2


def test_live_takes_the_place_of_what_the_file_says_of_all(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    with served(hanging) as address:
        bridges = f"[a={address}, {{host: 127.0.0.1, port: 1, live: off}}]"
        file.write_text(f"timeout: 300ms\nlive: off\nbridges: {bridges}\n")
        options = ["--config.file", str(file), "--no-discovery"]
        with exporter(tmp_path, *options, "--live", "auto") as (_, url):
            page = get(f"{url}metrics").decode()
    assert re.findall(
        r'^iometer_stream_up\{bridge="(.*?)",endpoint="reading"\} (.*)$', page, re.MULTILINE
    ) == [("a", "0.0")]


def test_log_lines_as_json(tmp_path: Path) -> None:
    options = ("--log.format", "json", "--no-discovery", "--bridge", "127.0.0.1:1")
    with exporter(tmp_path, *options, pattern=r'"address": "(\S+/)"') as (process, _):
        process.stop()
    lines = [json.loads(line) for line in process.text().splitlines()]
    assert [line["msg"] for line in lines] == ["iometer-exporter started", "iometer-exporter stopped"]
    assert (lines[0]["version"], lines[0]["bridges"], lines[0]["discovery"]) == (__version__, "1", "off")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--no-discovery",), ""),
        ((), "discovery: {enabled: false}"),
    ],
)
def test_nothing_to_serve_is_a_warning(
    served_with: ServedWith, tmp_path: Path, options: tuple[str, ...], text: str
) -> None:
    file = tmp_path / "config.yml"
    file.write_text(text)
    # As `compose` starts it with an empty list of bridges.
    env = {"IOMETER_EXPORTER_BRIDGE": ""}
    _, said = served_with("--config.file", str(file), *options, env=env)
    warnings = [line for line in said.splitlines() if "level=warning" in line]
    assert len(warnings) == 1
    assert (
        'msg="nothing to serve: no bridge is configured and discovery is off, start the exporter with '
        '--bridge ADDRESS or --discovery"'
    ) in warnings[0]


@pytest.mark.parametrize("options", [("--bridge", "127.0.0.1:1"), ("--discovery",)])
def test_something_to_serve_is_no_warning(
    served_with: ServedWith, tmp_path: Path, options: tuple[str, ...]
) -> None:
    file = tmp_path / "config.yml"
    file.write_text("discovery: {enabled: false, interfaces: [127.0.0.1]}")
    _, said = served_with("--config.file", str(file), *options)
    assert said == ""


def test_the_log_level_silences(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["serve", "--log.level", "error", "--no-discovery", "--web.listen-address", f"127.0.0.1:{port}"]
    with started([*COMMAND, *words], tmp_path / "log") as process:
        eventually(lambda: is_ready(f"http://127.0.0.1:{port}/"))
        assert process.stop() == 0
    assert process.text() == ""


def test_simulate_with_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("simulate", "--port", str(taken.getsockname()[1]))
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.end_to_end
def test_the_landing_page_links_to_the_dashboards_that_are_named(tmp_path: Path) -> None:
    url = "https://grafana.example/d/iometer?from=now-6h&to=now"
    with exporter(tmp_path, "--no-discovery", env={"IOMETER_EXPORTER_WEB_DASHBOARD_URL": url}) as (_, own):
        assert f'href="{url.replace("&", "&amp;")}"' in get(own).decode()


def test_dashboards_that_no_browser_can_follow_are_wrong_usage() -> None:
    result = invoke("serve", "--web.dashboard-url", "javascript:alert(1)")
    assert result.exit_code == 2
    assert "is no address of a web page, write one such as https://" in " ".join(result.output.split())
