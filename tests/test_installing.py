"""What users install, in each way that the pages name, and asked from outside the checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("uv", reason="pip install -e '.[dev]'")

from iometer_exporter import __version__
from tests.pages import ROOT, steps
from tests.processes import CLEAN_ENVIRONMENT, get, started

pytestmark = pytest.mark.end_to_end

TOOLS = Path(sys.executable).parent
"""Where pip has put uv and pipx."""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run([TOOLS / "uv", "build", "--quiet", "--out-dir", folder, "."], ROOT)
    return folder


def run(command: Sequence[str | Path], folder: Path, **environment: str | Path) -> str:
    """What a command prints that ends well; it knows nothing of the environment of these tests."""
    clean = {key: value for key, value in CLEAN_ENVIRONMENT.items() if key != "VIRTUAL_ENV"}
    env = clean | {key: str(value) for key, value in environment.items()}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def source_files() -> set[str]:
    """The files that belong to the source, as git sees them."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("only git knows what belongs to the source, and this is no checkout of it")
    listed = run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], ROOT)
    return {name for name in listed.splitlines() if (ROOT / name).exists()}


def test_the_source_distribution_is_the_source(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert held == source_files() | {"PKG-INFO"}


def test_the_wheel_has_the_package_and_nothing_else(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as archive:
        held = set(archive.namelist())
    about = f"iometer_exporter-{__version__}.dist-info"
    named = ("METADATA", "WHEEL", "entry_points.txt", "RECORD", "licenses/LICENSE")
    package = {name for name in source_files() if name.startswith("iometer_exporter/")}
    assert held == package | {f"{about}/{name}" for name in named}


def test_the_wheel_in_a_new_environment(dist: Path, tmp_path: Path) -> None:
    made = tmp_path / "environment"
    run([TOOLS / "uv", "venv", "--quiet", "--python", sys.executable, made], tmp_path)
    install: list[str | Path] = [
        TOOLS / "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        made / "bin" / "python",
    ]
    run([*install, "-c", ROOT / "constraints.txt", next(dist.glob("*.whl"))], tmp_path)
    answers(made / "bin" / "iometer-exporter", tmp_path)


def test_the_first_command_of_readme_in_the_unpacked_source(dist: Path, tmp_path: Path) -> None:
    run(["tar", "-xzf", next(dist.glob("*.tar.gz"))], tmp_path)
    [source] = tmp_path.iterdir()
    install, _, demo = steps("README.md")[0].command.rpartition(" && ")
    run(["bash", "-c", install], source)
    program = source / demo.split()[0]
    assert demo == ".venv/bin/iometer-exporter demo"
    address = ["--web.listen-address", "localhost:0"]
    with started([str(program), "demo", *address], tmp_path / "demo.log") as home:
        url = home.wait_for(r"(http://\S+/) ")[1]
        assert b"iometer_power_watts{" in get(f"{url}metrics")
    answers(program, tmp_path)


@pytest.mark.parametrize("tool", ["pipx install", "uv tool install"])
def test_the_command_of_getting_started(tool: str, tmp_path: Path) -> None:
    [command] = [step.command for step in steps("getting-started.md") if step.command.startswith(tool)]
    programs = tmp_path / "bin"
    run(
        ["bash", "-c", command],
        ROOT,
        PATH=f"{TOOLS}:{os.environ['PATH']}",
        PIPX_HOME=tmp_path / "pipx",
        PIPX_BIN_DIR=programs,
        PIPX_MAN_DIR=tmp_path / "man",
        UV_TOOL_DIR=tmp_path / "uv",
        UV_TOOL_BIN_DIR=programs,
    )
    assert [path.name for path in programs.iterdir()] == ["iometer-exporter"]
    answers(programs / "iometer-exporter", tmp_path)


def answers(program: Path, outside: Path) -> None:
    """See that the installed command tells its version, checks a bridge and serves it."""
    assert run([program, "--version"], outside) == f"iometer-exporter {__version__}\n"
    with started([str(program), "simulate", "--port", "0"], outside / "simulate.log") as simulated:
        address = simulated.wait_for(r"http://(\S+)")[1]
        assert "Nothing is wrong." in run([program, "check", address], outside)
        serve = ["serve", "--no-discovery", "--bridge", f"house={address}"]
        serve += ["--web.listen-address", "127.0.0.1:0"]
        with started([str(program), *serve], outside / "serve.log") as exporter:
            url = exporter.wait_for(r"address=(http://\S+/)")[1]
            assert b'\niometer_up{bridge="house"} 1.0\n' in get(f"{url}metrics")
            assert exporter.stop() == 0
