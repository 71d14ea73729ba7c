"""Manifests of Kubernetes against its published schemas; a kind without one is no pass."""

from pathlib import Path
from typing import Any

import pytest

from tests import yamlfiles

kubernetes_validate: Any = pytest.importorskip("kubernetes_validate", reason="pip install -e '.[dev]'")

ROOT = Path(__file__).parent.parent
VERSION = "1.37"
OPERATOR = "monitoring.coreos.com/v1"
"""Of the Prometheus operator, whose models `.ci/run` asks."""
KUSTOMIZE = "kustomize.config.k8s.io/v1beta1"
"""Of kustomize, no object of a cluster: `test_deploy` reads it."""


def documents(*others: str) -> list[Any]:
    """The objects of all files by file and kind, those of Kubernetes or those of another interface."""
    found = []
    for path in sorted((ROOT / "contrib" / "kubernetes").rglob("*.yaml")):
        for document in yamlfiles.load_all(path.read_text()):
            version = document["apiVersion"]
            if version in others if others else version not in (OPERATOR, KUSTOMIZE):
                name = str(path.relative_to(ROOT))
                found.append(pytest.param(document, name, id=f"{path.name}:{document['kind']}"))
    return found


def check(document: Any) -> None:
    kubernetes_validate.validate(document, VERSION, strict=True)


@pytest.mark.parametrize(("document", "_name"), documents())
def test_an_object_is_as_its_schema_says(document: Any, _name: str) -> None:
    check(document)


@pytest.mark.parametrize(("document", "_name"), documents())
def test_a_slip_would_be_seen(document: Any, _name: str) -> None:
    part = "data" if "data" in document else "spec"
    with pytest.raises(kubernetes_validate.ValidationError):
        check(document | {part: document[part] | {"selektor": {"a": {}}}})


def test_a_kind_without_a_schema_is_no_pass() -> None:
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        check({"apiVersion": "apps/v1", "kind": "StatefulSat", "metadata": {"name": "a"}})


@pytest.mark.parametrize(("_document", "name"), documents(OPERATOR))
def test_what_has_no_schema_here_is_checked_elsewhere(_document: Any, name: str) -> None:
    run = (ROOT / ".ci" / "run").read_text()
    assert f" -m devtools.operator_objects {name}\n" in run


def test_these_are_all() -> None:
    assert len(documents()) == 7
    assert len(documents(OPERATOR)) == len(documents(KUSTOMIZE)) == 1
