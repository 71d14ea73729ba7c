"""What a Prometheus answers to the queries of a panel."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from grafana.query.interpolate import Query

_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_TIMEOUT: Final = 60.0
"""Seconds for one answer."""


class QueryError(Exception):
    """A query that Prometheus refused; the text is its reason."""


@dataclass(frozen=True, slots=True)
class Series:
    """Labels and samples (unix time, value) of one series of an answer."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.samples[-1][1]


@dataclass(frozen=True, slots=True)
class Source:
    """A Prometheus by its base address."""

    url: str

    def run(self, query: Query) -> list[Series]:
        """The series of a query; raises QueryError."""
        if query.kind == "instant":
            return self.instant(query.expr, query.end)
        return self.range(query.expr, query.begin, query.end, query.step)

    def instant(self, expr: str, time: float) -> list[Series]:
        """The series of an expression at a unix time."""
        data = self._ask("query", query=expr, time=f"{time:.3f}")
        if data["resultType"] == "scalar":
            return [Series({}, (_sample(data["result"]),))]
        return [Series(item["metric"], (_sample(item["value"]),)) for item in data["result"]]

    def range(self, expr: str, begin: float, end: float, step: float) -> list[Series]:
        """The series of an expression over a range of unix times, one sample every `step` seconds."""
        span = {"start": f"{begin:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        data = self._ask("query_range", query=expr, **span)
        return [Series(item["metric"], tuple(map(_sample, item["values"]))) for item in data["result"]]

    def label_values(self, selector: str, label: str, begin: float, end: float) -> list[str]:
        """The values of a label, of all series or those of a selector, between two unix times."""
        parameters = {"start": f"{begin:.3f}", "end": f"{end:.3f}"} | (
            {"match[]": selector} if selector else {}
        )
        values = self._open(f"label/{label}/values?{urllib.parse.urlencode(parameters)}", None)
        return [str(value) for value in values]

    def _ask(self, path: str, **parameters: str) -> Any:
        try:
            return self._open(path, urllib.parse.urlencode(parameters).encode())
        except urllib.error.HTTPError as error:
            reason = json.loads(error.read() or b"{}").get("error", error.reason)
            raise QueryError(f"{parameters['query']}: {reason}") from error

    def _open(self, path: str, body: bytes | None) -> Any:
        with _OPENER.open(f"{self.url}/api/v1/{path}", body, timeout=_TIMEOUT) as answer:
            return json.load(answer)["data"]


def _sample(pair: tuple[float, str]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
