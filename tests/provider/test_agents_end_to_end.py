"""Two agents share the shards and write to one receiver, as in docs/scale.md; one of each is restarted."""

import hashlib
import json
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import require_program
from tests.processes import COMMAND, Process, Prometheus, free_port, get, is_ready, started
from tests.provider.cloud import ENVIRONMENT, cloud_of
from tests.waiting import eventually

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).parent.parent.parent
SHARDS, AGENTS, INSTALLATIONS = 4, 2, 40
WHOLE = "[10m]"
"""More than a test takes."""


def block_of_the_docs() -> str:
    """The configuration of an agent in docs/scale.md."""
    page = (ROOT / "docs" / "scale.md").read_text()
    block: str
    [block] = re.findall(r"^```yaml\n(scrape_configs:\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return block


def agent_config(agent: int, targets: list[str], receiver: str) -> str:
    """The block with addresses and times of this test; all else is as people copy it."""
    config = block_of_the_docs()
    for pattern, replacement in (
        (r"(?m)^( +)- shard-1\.iometer\.internal:10180\n(?:\1- shard-\d\.iometer\.internal:10180\n)+",
         "".join(f"          - {target}\n" for target in targets)),
        (r"scrape_interval: 60s", "scrape_interval: 1s"),
        (r"scrape_timeout: 30s", "scrape_timeout: 1s"),
        (r'regex: "0" # .*', f'regex: "{agent}"'),
        (r"http://mimir\.internal/api/v1/push", f"{receiver}/api/v1/write"),
        (r"queue_config:\n", "queue_config:\n      batch_send_deadline: 1s\n"),
    ):  # fmt: skip
        config, count = re.subn(pattern, replacement, config)
        assert count == 1, pattern
    return config


def of_agent(target: str) -> int:
    """The agent to which `hashmod` deals the target."""
    return int.from_bytes(hashlib.md5(target.encode(), usedforsecurity=False).digest()[8:]) % AGENTS


def addresses() -> list[str]:
    """Free addresses for the shards, the same number of them for each agent."""
    found: list[list[str]] = [[] for _ in range(AGENTS)]
    while min(map(len, found)) < SHARDS // AGENTS:
        address = f"127.0.0.1:{free_port()}"
        found[of_agent(address)].append(address)
    return [address for group in found for address in group[: SHARDS // AGENTS]]


@dataclass
class Part:
    """A program that can be stopped and started again as it was."""

    command: list[str]
    url: str
    log: Path
    config: Path
    stack: ExitStack
    env: dict[str, str] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    process: Process | None = None

    def start(self) -> None:
        self.process = self.stack.enter_context(started(self.command, self.log, self.env))

    def ready(self) -> None:
        eventually(lambda: is_ready(f"{self.url}/"))

    def stop(self) -> None:
        assert self.process is not None
        assert self.process.stop(timeout=60) == 0
        self.logs.append(self.process.text())

    def scrapes(self, targets: int) -> int:
        """How often an agent has scraped its targets since it was started."""
        name = "prometheus_target_interval_length_seconds_count"
        counts = re.findall(rf'^{name}{{interval="1s"}} (\d+)$', get(f"{self.url}/metrics").decode(), re.M)
        # The first scrape of a target has no interval before it.
        return sum(map(int, counts)) + targets

    def scrape_no_more(self) -> None:
        """Take the targets from an agent, which goes on sending."""
        _, _, rest = self.config.read_text().partition("remote_write:")
        self.config.write_text(f"remote_write:{rest}")
        assert self.process is not None
        self.process.popen.send_signal(signal.SIGHUP)

    def targets(self) -> set[str]:
        """The instances that an agent scrapes."""
        active = json.loads(get(f"{self.url}/api/v1/targets"))["data"]["activeTargets"]
        return {target["labels"]["instance"] for target in active}


@dataclass
class Fleet:
    """All parts, running."""

    shards: dict[str, Part]
    agents: list[Part]
    receiver: Part
    server: Prometheus

    def received(self, instances: list[str]) -> int:
        """How many scrapes of the exporters the receiver has."""
        found = self.server.values(f"count_over_time(up{WHOLE})", "instance")
        return int(sum(found[instance] for instance in instances))

    def samples(self) -> dict[str, float]:
        """How many samples of each exporter the receiver has, without those that agents add to a scrape."""
        counts: Counter[str] = Counter()
        for series in self.server.query(f'{{job="iometer", __name__!~"up|scrape_.*"}}{WHOLE}'):
            counts[series["metric"]["instance"]] += len(series["values"])
        return dict(counts)

    def newest(self, instance: str) -> float:
        """Time of the newest successful scrape of the exporter that the receiver has."""
        up = f'up{{instance="{instance}"}}'
        found = self.server.query(f"max(timestamp({up}) and {up} == 1)")
        return float(found[0]["value"][1]) if found else 0.0


@contextmanager
def running(folder: Path, url: str) -> Iterator[Fleet]:
    program = require_program("prometheus")
    config = folder / "config.yml"
    config.write_text(
        "discovery: {enabled: false}\n"
        f"provider: {{url: '{url}', shard: auto/{SHARDS}, inventory_interval: 10s}}\n"
    )
    (folder / "receiver.yml").write_text("global: {}\n")
    with ExitStack() as stack:
        shards = {}
        for ordinal, address in enumerate(addresses()):
            command = [*COMMAND, "serve", "--web.listen-address", address]
            command += ["--config.file", str(config)]
            command += ["--state.file", str(folder / f"state-{ordinal}.json")]
            env = ENVIRONMENT | {"IOMETER_EXPORTER_POD_NAME": f"iometer-provider-{ordinal}"}
            log = folder / f"shard-{ordinal}.log"
            shards[address] = Part(command, f"http://{address}", log, config, stack, env)

        def server(name: str, *options: str) -> Part:
            address = f"127.0.0.1:{free_port()}"
            file = folder / f"{name}.yml"
            command = [program, f"--config.file={file}", f"--web.listen-address={address}", *options]
            return Part(command, f"http://{address}", folder / f"{name}.log", file, stack)

        data = f"--storage.tsdb.path={folder / 'data'}"
        receiver = server("receiver", data, "--web.enable-remote-write-receiver")
        agents = []
        for number in range(AGENTS):
            text = agent_config(number, list(shards), receiver.url)
            (folder / f"agent-{number}.yml").write_text(text)
            wal = f"--storage.agent.path={folder / f'agent-{number}'}"
            agents.append(server(f"agent-{number}", "--enable-feature=agent", wal))
        for part in (*shards.values(), receiver, *agents):
            part.start()
        receiver.ready()
        assert receiver.process is not None
        yield Fleet(shards, agents, receiver, Prometheus(receiver.url, receiver.process))


def test_nothing_is_lost_or_doubled_over_a_restart_of_each_part(tmp_path: Path) -> None:
    with (
        cloud_of(installations=INSTALLATIONS, interval=10) as cloud,
        running(tmp_path, cloud.simulation.url) as all_of_it,
    ):
        server = all_of_it.server
        first, second = all_of_it.agents
        mine, others = list(all_of_it.shards)[: SHARDS // 2], list(all_of_it.shards)[SHARDS // 2 :]
        eventually(lambda: server.values("sum(iometer_provider_installations)") == {"": INSTALLATIONS})
        assert (first.targets(), second.targets()) == (set(mine), set(others))

        # The receiver: what is scraped meanwhile comes later.
        before = second.scrapes(len(others))
        all_of_it.receiver.stop()
        eventually(lambda: second.scrapes(len(others)) >= before + len(others))
        all_of_it.receiver.start()
        all_of_it.receiver.ready()
        back = time.time()
        # One thing at a time: what an agent cannot send when it ends is lost.
        eventually(lambda: all(all_of_it.newest(instance) > back for instance in all_of_it.shards))

        # The first agent, and an exporter of the second one.
        counted = first.scrapes(len(mine))
        # An agent sends at its end what it has read of its log; what was counted has got there by then.
        time.sleep(0.5)
        first.stop()
        shard = all_of_it.shards[others[0]]
        shard.stop()
        first.start()
        eventually(lambda: server.query(f'up{{instance="{others[0]}"}} == 0'))
        shard.start()
        newest = {instance: all_of_it.newest(instance) for instance in (*mine, others[0])}
        eventually(lambda: all(all_of_it.newest(instance) > then for instance, then in newest.items()))

        # The end of all scrapes, so that both sides can be counted.
        for agent in all_of_it.agents:
            agent.scrape_no_more()
        eventually(lambda: not first.targets() and not second.targets())
        scraped = second.scrapes(len(others))
        eventually(lambda: all_of_it.received(others) >= scraped)
        assert all_of_it.received(others) == scraped
        scraped = counted + first.scrapes(len(mine))
        eventually(lambda: all_of_it.received(mine) >= scraped)
        # Between the count and the stop there was time for another scrape of each, on a busy machine for two.
        assert all_of_it.received(mine) <= scraped + 2 * len(mine)

        # Of each scrape every sample, and not one more.
        promised = f"sum by (instance) (sum_over_time(scrape_samples_post_metric_relabeling{WHOLE}))"
        eventually(lambda: all_of_it.samples() == server.values(promised, "instance"))
        assert set(all_of_it.samples()) == set(all_of_it.shards)

        # Each installation and each meter in one place, with counters that never fall.
        fleet = cloud.simulation.fleet
        found = server.query(f"last_over_time(iometer_installation_info{WHOLE})")
        ids = sorted(series["metric"]["id"] for series in found)
        assert ids == sorted(fleet.id(index) for index in range(fleet.size))
        places = f"count by (meter) (last_over_time(iometer_reading_timestamp_seconds{WHOLE}))"
        assert set(server.values(places, "meter").values()) == {1.0}
        assert server.values(f"sum(resets(iometer_energy_import_joules_total{WHOLE}))") == {"": 0.0}
        assert server.query(f"last_over_time(iometer_register{WHOLE})") == []
        for part in (all_of_it.receiver, *all_of_it.agents, *all_of_it.shards.values()):
            part.stop()
            assert not re.search(r"out of order|duplicate|level=error", "".join(part.logs), re.IGNORECASE)
