"""Containers, units, manifests and workflows: what can be said of them without running them."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from iometer_exporter.config.file import load_config
from iometer_exporter.config.shard import POD_NAME_VARIABLE, AutoShard
from iometer_exporter.web.listen import DEFAULT_PORT
from tests import yamlfiles
from tests.cli.test_cli import commands
from tests.conftest import require_program
from tests.pages import Step, checkout, perform, skip_without_namespaces
from tests.processes import CLEAN_ENVIRONMENT, COMMAND
from tests.waiting import PATIENCE

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
UNIT = ROOT / "contrib" / "systemd" / "iometer-exporter.service"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FLEET = ROOT / "contrib" / "kubernetes" / "provider"
MANIFEST = ROOT / "contrib" / "kubernetes" / "iometer-exporter.yaml"
SERVED = ("exporter", "demo", "prometheus", "alertmanager", "grafana")


class _Loader(yaml.SafeLoader):
    """YAML as compose reads it: `!reset` takes a key away."""


_Loader.add_constructor("!reset", lambda _loader, _node: None)


def load(path: Path) -> Any:
    return yaml.load(path.read_text(), _Loader)


def compose() -> dict[str, Any]:
    services = load(ROOT / "compose.yaml")["services"]
    assert isinstance(services, dict)
    return services


def final_stage() -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return joined[joined.rindex("\nFROM ") :].strip().splitlines()


def instruction(name: str) -> str:
    [found] = [line.removeprefix(name).strip() for line in final_stage() if line.startswith(f"{name} ")]
    return found


def test_the_image_holds_the_versions_that_are_tested() -> None:
    assert re.search(r"pip .*install .*-c constraints\.txt .*/dist/\*\.whl\)\[provider\]", DOCKERFILE)
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON_IMAGE}"}


def test_the_image_does_not_run_as_root() -> None:
    user, _, group = instruction("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_the_image_starts_stops_and_checks_itself() -> None:
    assert instruction("ENTRYPOINT") == '["iometer-exporter"]'
    assert instruction("CMD") == '["serve"]'
    assert instruction("STOPSIGNAL") == "SIGTERM"
    assert instruction("EXPOSE") == str(DEFAULT_PORT)
    assert instruction("HEALTHCHECK").endswith('CMD ["iometer-exporter", "healthcheck"]')
    assert {"serve", "healthcheck"} <= {name for name, _ in commands()}


def test_the_build_gets_all_that_it_copies() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        for name in line.split():
            assert (ROOT / name).exists()
            assert f"!{name}" in ignored


@pytest.mark.parametrize("name", SERVED)
def test_compose_publishes_on_loopback_only(name: str) -> None:
    ports = compose()[name]["ports"]
    assert ports
    for port in ports:
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)


@pytest.mark.parametrize("name", SERVED)
def test_compose_gives_no_rights_away(name: str) -> None:
    service = compose()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "ipc", "user", "network_mode"} & set(service)


def test_compose_has_no_other_service() -> None:
    assert tuple(compose()) == SERVED


@pytest.mark.parametrize("name", SERVED)
def test_compose_pins_its_images(name: str) -> None:
    _, _, tag = compose()[name]["image"].partition(":")
    assert re.fullmatch(r"v?\d+\.\d+\.\d+|local", tag)


def test_compose_has_no_default_password() -> None:
    environment = compose()["grafana"]["environment"]
    assert environment["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_PASSWORD:?")
    assert [key for key in environment if "PASSWORD" in key] == ["GF_SECURITY_ADMIN_PASSWORD"]


def test_compose_mounts_what_is_there_and_cannot_change_it() -> None:
    mounted = [mount for service in compose().values() for mount in service.get("volumes", ())]
    folders = [mount for mount in mounted if mount.startswith(".")]
    assert len(folders) == 4
    for mount in folders:
        source, _, mode = mount.replace("${DASHBOARD_LANGUAGE:-en}", "en").split(":")
        assert (ROOT / source).exists(), source
        assert mode == "ro"
    named = {mount.partition(":")[0] for mount in mounted} - {mount.partition(":")[0] for mount in folders}
    assert named == set(load(ROOT / "compose.yaml")["volumes"])


def test_with_mdns_the_exporter_listens_for_this_host_and_its_containers_only() -> None:
    services = load(ROOT / "compose.mdns.yaml")["services"]
    exporter = services["exporter"]
    assert (exporter["network_mode"], exporter["networks"], exporter["ports"]) == ("host", None, None)
    assert exporter["command"] == [
        "serve",
        "--web.listen-address=127.0.0.1:10180",
        "--web.listen-address=${DOCKER_BRIDGE_ADDRESS:-172.17.0.1}:10180",
    ]
    assert services["prometheus"] == {"extra_hosts": ["exporter:${DOCKER_BRIDGE_ADDRESS:-172.17.0.1}"]}


def test_prometheus_scrapes_the_exporter_of_compose() -> None:
    config = load(ROOT / "prometheus" / "prometheus.yml")
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    assert targets["iometer"] == [f"exporter:{DEFAULT_PORT}"]
    assert "exporter" in compose()["demo"]["networks"]["monitoring"]["aliases"]
    assert config["rule_files"] == ["recording.yml", "alerts.yml"]
    assert all((ROOT / "prometheus" / name).exists() for name in config["rule_files"])


@pytest.mark.end_to_end
def test_promtool_accepts_the_configuration() -> None:
    check([require_program("promtool"), "check", "config", str(ROOT / "prometheus" / "prometheus.yml")])


@pytest.mark.end_to_end
def test_amtool_accepts_the_configuration() -> None:
    check([require_program("amtool"), "check-config", str(ROOT / "prometheus" / "alertmanager.yml")])


def test_the_services_of_compose_wait_for_no_other() -> None:
    """Each begins without the others and goes on when they come, so there is no order to keep to."""
    assert not any("depends_on" in service or "links" in service for service in compose().values())
    assert all(service["restart"] == "unless-stopped" for service in compose().values())


@pytest.mark.end_to_end
def test_prometheus_finds_an_exporter_of_compose_that_starts_after_it_and_is_healthy(tmp_path: Path) -> None:
    """The commands of compose.yaml on this host, in a network where the names of the services are known."""
    for program in ("curl", "ip", "prometheus"):
        require_program(program)
    skip_without_namespaces()
    checkout(tmp_path)
    services = compose()
    state = Path(services["exporter"]["environment"]["IOMETER_EXPORTER_STATE_FILE"]).name
    [healthcheck] = re.findall(r"CMD (\[.*\])$", instruction("HEALTHCHECK"))
    demo, home = (shlex.join(services[name]["command"]) for name in ("demo", "exporter"))
    url = "http://localhost:9090/api/v1/query?query=up%7Bjob=%22iometer%22%7D=={}"
    seen = f"until curl -s '{url}' | grep -q '\"value\"'; do sleep 0.1; done"
    config = "prometheus/prometheus.yml"
    typed = (
        "echo 127.0.0.1 localhost exporter alertmanager >hosts && mount --bind hosts /etc/hosts",
        f"sed -i 's/_interval: .*/_interval: 1s/; s/_timeout: .*/_timeout: 1s/' {config}",
        f"prometheus --config.file={config} --storage.tsdb.path=data 2>prometheus.log &",
        seen.format(0),
        f"iometer-exporter {demo}",
        shlex.join(json.loads(healthcheck)),
        seen.format(1),
        f"export IOMETER_EXPORTER_STATE_FILE={state}",
        "export IOMETER_EXPORTER_BRIDGE='house=192.168.1.50 heatpump=192.168.1.51'",
        f"iometer-exporter {home}",
        shlex.join(json.loads(healthcheck)),
        seen.format(1),
    )
    todo = [Step("compose.yaml", command, None) for command in typed]
    for command, result in zip(typed, perform((), todo, tmp_path, 10 * PATIENCE), strict=True):
        assert result.code == 0, f"{command}\n{result.output}"


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    provisioning = ROOT / "grafana" / "provisioning"
    [source] = load(provisioning / "datasources" / "prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    [provider] = load(provisioning / "dashboards" / "iometer.yml")["providers"]
    folder = provider["options"]["path"]
    grafana = compose()["grafana"]
    assert f"./grafana/dashboards/${{DASHBOARD_LANGUAGE:-en}}:{folder}:ro" in grafana["volumes"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{folder}/iometer-home.json"
    for language in ("en", "de"):
        assert (ROOT / "grafana" / "dashboards" / language / "iometer-home.json").exists()


def test_language_and_time_zone_of_grafana_follow_one_variable_each() -> None:
    environment = compose()["grafana"]["environment"]
    assert environment["GF_USERS_DEFAULT_LANGUAGE"] == "${GRAFANA_LANGUAGE:-detect}"
    assert environment["GF_DATE_FORMATS_DEFAULT_TIMEZONE"] == "${GRAFANA_TIMEZONE:-browser}"
    assert environment["GF_DATE_FORMATS_USE_BROWSER_LOCALE"] == "true"


def test_nobody_changes_a_board_in_grafana_that_the_next_start_would_overwrite() -> None:
    [provider] = load(ROOT / "grafana" / "provisioning" / "dashboards" / "iometer.yml")["providers"]
    assert (provider["allowUiUpdates"], provider["disableDeletion"]) == (False, True)


def test_bridges_have_one_name_in_and_out_of_compose() -> None:
    """A variable that is called otherwise in `.env` is one that somebody sets in vain."""
    environment = compose()["exporter"]["environment"]
    assert environment["IOMETER_EXPORTER_BRIDGE"] == "${IOMETER_EXPORTER_BRIDGE:-}"


def test_every_variable_of_compose_is_explained() -> None:
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    explained = (ROOT / "compose.yaml").read_text().partition("\nname:")[0] + (
        ROOT / "docs" / "containers.md"
    ).read_text()
    assert used
    assert {name for name in used if name not in explained} == set()


def test_no_command_of_the_docs_overwrites_what_stands_in_env() -> None:
    page = (ROOT / "docs" / "containers.md").read_text()
    assert re.findall(r">+ \.env", page) == [">> .env"]


def unit_keys(section: str) -> dict[str, list[str]]:
    text = UNIT.read_text()
    body = text.partition(f"[{section}]\n")[2].partition("\n[")[0]
    keys: dict[str, list[str]] = {}
    for line in body.splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            keys.setdefault(key, []).append(value)
    return keys


def test_the_unit_starts_the_program_and_waits_until_it_is_ready() -> None:
    service = unit_keys("Service")
    assert service["Type"] == ["notify"]
    assert service["NotifyAccess"] == ["main"]
    assert service["ExecStart"] == ["/opt/iometer-exporter/bin/iometer-exporter serve"]
    assert service["ExecReload"] == ["/bin/sh -c 'kill -HUP $MAINPID'"]


def test_the_unit_gives_up_where_another_start_would_not_help(tmp_path: Path) -> None:
    assert unit_keys("Service")["RestartPreventExitStatus"] == ["2"]
    (tmp_path / "iometer.yml").write_text("timout: 3s")
    serve = [*COMMAND, "serve", "--config.file", str(tmp_path / "iometer.yml")]
    assert subprocess.run(serve, capture_output=True, check=False, env=CLEAN_ENVIRONMENT).returncode == 2


def test_the_unit_names_its_pages_and_guesses_no_address_of_them() -> None:
    assert "Documentation" not in unit_keys("Unit")
    pages = re.findall(r"docs/[\w-]+\.md", UNIT.read_text())
    assert pages
    assert all((ROOT / page).exists() for page in pages)


def test_the_unit_keeps_the_state_in_a_folder_of_its_own() -> None:
    service = unit_keys("Service")
    assert service["StateDirectory"] == ["iometer-exporter"]
    assert service["StateDirectoryMode"] == ["0700"]
    # Set by systemd, and the program's default follows it.
    assert "state.file" not in UNIT.read_text()


STATE_FOLDER = "/var/lib/iometer-exporter"


def test_compose_keeps_the_state_in_a_volume_that_the_user_of_the_image_may_write() -> None:
    exporter = compose()["exporter"]
    assert exporter["volumes"] == [f"exporter-state:{STATE_FOLDER}"]
    assert exporter["environment"]["IOMETER_EXPORTER_STATE_FILE"] == f"{STATE_FOLDER}/state.json"
    user, _, group = instruction("USER").partition(":")
    assert f"RUN install -d -m 0700 -o {user} -g {group} {STATE_FOLDER}" in final_stage()


def test_the_pod_keeps_the_state_in_a_volume_of_its_group() -> None:
    found = documents()
    pod = found["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert f"--state.file={STATE_FOLDER}/state.json" in container["args"]
    assert {"name": "state", "mountPath": STATE_FOLDER} in container["volumeMounts"]
    [claim] = [volume["persistentVolumeClaim"] for volume in pod["volumes"] if volume["name"] == "state"]
    assert claim == {"claimName": found["PersistentVolumeClaim"]["metadata"]["name"]}
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]
    # Two at once would write over each other.
    assert found["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert found["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_the_options_of_the_pod_are_there(kind: str) -> None:
    [container] = (documents() | fleet())[kind]["spec"]["template"]["spec"]["containers"]
    [serve] = [command for name, command in commands() if name == "serve"]
    known = {option for parameter in serve.params for option in parameter.opts}
    assert {argument.partition("=")[0] for argument in container["args"][1:]} <= known


def test_the_unit_leaves_what_mdns_and_the_readiness_need() -> None:
    [families] = unit_keys("Service")["RestrictAddressFamilies"]
    assert set(families.split()) == {"AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX"}
    assert "PrivateNetwork" not in unit_keys("Service")
    # process_start_time_seconds needs /proc/stat.
    assert "ProcSubset" not in unit_keys("Service")


@pytest.mark.end_to_end
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = require_program("systemd-analyze")
    copy = tmp_path / UNIT.name
    # It looks for the program too, which is not installed here.
    copy.write_text(UNIT.read_text().replace("/opt/iometer-exporter/bin/iometer-exporter", sys.executable))
    result = check([program, "verify", "--man=no", str(copy)])
    assert UNIT.name not in result.stderr


@pytest.mark.end_to_end
def test_the_unit_is_as_safe_as_the_docs_say(tmp_path: Path) -> None:
    program = require_program("systemd-analyze")
    result = check([program, "security", "--offline=true", "--no-pager", str(UNIT)])
    [exposure] = re.findall(r"Overall exposure level for \S+: (\d+\.\d)", result.stdout)
    assert float(exposure) <= 1.5
    assert re.search(r"exposure level (?:of|is) \*\*1\.1\*\*", (ROOT / "docs" / "containers.md").read_text())


def documents() -> dict[str, Any]:
    return {document["kind"]: document for document in yamlfiles.load_all(MANIFEST.read_text())}


def fleet() -> dict[str, Any]:
    """The objects of a provider's fleet by kind, those that kustomize lists."""
    listed = load(FLEET / "kustomization.yaml")["resources"]
    assert {path.name for path in FLEET.iterdir()} == {*listed, "kustomization.yaml", "config.yml"}
    found = [document for name in listed for document in yamlfiles.load_all((FLEET / name).read_text())]
    return {document["kind"]: document for document in found}


def workloads() -> list[Any]:
    """What starts pods, in both sets of manifests."""
    return [
        pytest.param(documents()["Deployment"], id="Deployment"),
        pytest.param(fleet()["StatefulSet"], id="StatefulSet"),
    ]


@pytest.mark.parametrize("workload", workloads())
def test_the_pod_fits_the_restricted_standard(workload: Any) -> None:
    pod = workload["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == instruction(
        "USER"
    )
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)


@pytest.mark.parametrize("workload", workloads())
def test_the_pod_is_probed_where_the_exporter_answers(workload: Any) -> None:
    [container] = workload["spec"]["template"]["spec"]["containers"]
    assert container["startupProbe"]["httpGet"] == {"path": "/-/healthy", "port": "metrics"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": "metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/-/ready", "port": "metrics"}
    assert container["ports"] == [{"name": "metrics", "containerPort": DEFAULT_PORT}]
    for found in (documents(), fleet()):
        [port] = found["Service"]["spec"]["ports"]
        assert (port["port"], port["targetPort"]) == (DEFAULT_PORT, "metrics")


def test_the_service_and_the_deployment_mean_the_same_pods() -> None:
    found = documents()
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert found["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert found["Service"]["spec"]["selector"] == labels


def test_all_of_a_fleet_mean_the_same_pods_and_no_others() -> None:
    found = fleet()
    labels = found["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    # A household's pod in the same namespace has other ones.
    assert labels.items() != documents()["Service"]["spec"]["selector"].items()
    assert found["StatefulSet"]["spec"]["serviceName"] == found["Service"]["metadata"]["name"]
    assert found["Service"]["spec"]["clusterIP"] == "None"
    assert found["Service"]["spec"]["selector"] == labels
    for kind in ("StatefulSet", "PodDisruptionBudget", "PodMonitor"):
        assert found[kind]["spec"]["selector"] == {"matchLabels": labels}
    assert {document["metadata"]["name"] for document in found.values()} == {"iometer-provider"}


def test_a_fleet_has_as_many_pods_as_shards() -> None:
    provider = load_config(FLEET / "config.yml").provider
    assert provider is not None
    assert provider.shard == AutoShard(fleet()["StatefulSet"]["spec"]["replicas"])
    [container] = fleet()["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    # The name of the pod, of which there is one for each shard.
    assert container["env"] == [
        {"name": POD_NAME_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    ]


def test_a_shard_finds_its_files() -> None:
    """What the configuration names is mounted, and may be read by the group of the process."""
    config, pod = load_config(FLEET / "config.yml"), fleet()["StatefulSet"]["spec"]["template"]["spec"]
    assert config.provider is not None
    [container] = pod["containers"]
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for file in (config.provider.token_file, config.provider.secret_file):
        assert file is not None
        secret = volumes[mounted[str(file.parent)]]["secret"]
        # As the comment beside it makes it.
        assert f"--from-file={file.name}" in (FLEET / "statefulset.yaml").read_text()
        assert secret["defaultMode"] == 0o440
    [claim] = fleet()["StatefulSet"]["spec"]["volumeClaimTemplates"]
    assert config.state_file is not None
    assert mounted[str(Path(config.state_file).parent)] == claim["metadata"]["name"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]
    [made] = load(FLEET / "kustomization.yaml")["configMapGenerator"]
    assert made["files"] == ["config.yml"]
    assert volumes[mounted["/etc/iometer-exporter"]]["configMap"] == {"name": made["name"]}
    assert container["args"][1:] == ["--config.file=/etc/iometer-exporter/config.yml"]


def test_the_operator_scrapes_as_the_alerts_and_the_docs_expect() -> None:
    [endpoint] = fleet()["PodMonitor"]["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("metrics", "/metrics")
    assert {"targetLabel": "job", "replacement": "iometer"} in endpoint["relabelings"]
    [instance] = [rule for rule in endpoint["relabelings"] if rule["targetLabel"] == "instance"]
    assert instance["sourceLabels"] == ["__meta_kubernetes_pod_name"]
    page = (ROOT / "docs" / "scale.md").read_text()
    assert f"scrape_interval: {endpoint['interval']}" in page
    assert f"scrape_timeout: {endpoint['scrapeTimeout']}" in page


def test_the_configuration_in_the_manifest_is_good(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text(documents()["ConfigMap"]["data"]["config.yml"])
    check([sys.executable, "-m", "iometer_exporter", "config", "check", str(file)])


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in load(path)["jobs"].values():
        yield from job.get("steps", ())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if re.match(r"\s*(- )?uses:", line)]
    assert lines
    for line in lines:
        pinned = re.search(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)
        assert pinned or line.endswith("uses: ./.github/workflows/ci.yml"), line


def test_an_action_has_one_version() -> None:
    used = {step["uses"] for path in WORKFLOWS for step in steps(path) if "uses" in step}
    assert len({use.partition("@")[0] for use in used}) == len(used)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_read_and_no_more_unless_a_job_says_so(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    # YAML 1.1 reads the key `on` as true.
    assert "pull_request_target" not in workflow[True]
    for step in steps(path):
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False
        # A value of the event in a script would be run as part of it.
        assert "${{" not in step.get("run", "")


def test_ci_runs_what_the_ci_script_runs_on_every_python() -> None:
    workflow = load(ROOT / ".github" / "workflows" / "ci.yml")
    classifiers = re.findall(
        r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text()
    )
    for job in ("checks", "wheel"):
        assert workflow["jobs"][job]["strategy"]["matrix"]["python-version"] == classifiers
    assert ".ci/run" in [step.get("run") for step in workflow["jobs"]["checks"]["steps"]]
    assert set(workflow["jobs"]["all-green"]["needs"]) == set(workflow["jobs"]) - {"all-green"}


def test_the_script_for_a_real_build_is_a_script() -> None:
    check(["bash", "-n", str(ROOT / "tests" / "container.sh")])


def check(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program that says by its exit code whether it likes what it reads."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    return result
