"""The schema of the document, with resolvers, served by ariadne."""

import re
from collections.abc import AsyncGenerator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from ariadne import ObjectType, ScalarType, SubscriptionType, make_executable_schema
from graphql import GraphQLInputObjectType, GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema

from iometer_exporter.simulator.cloud.arrivals import Arrival
from iometer_exporter.simulator.cloud.cloud import Cloud
from iometer_exporter.simulator.cloud.registers import plain
from iometer_exporter.simulator.cloud.resolvers import RESOLVERS, Resolver
from iometer_exporter.simulator.cloud.stamps import parse_date, parse_stamp

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


@cache
def executable_schema() -> GraphQLSchema:
    """The schema, the same for all clouds; the context of its operations is a Cloud."""
    text = files("iometer_exporter").joinpath("provider", "api", "schema.graphql").read_text("utf-8")
    objects = [_bound(name, resolvers) for name, resolvers in RESOLVERS.items()]
    schema = make_executable_schema(text, *objects, _subscription(), *_scalars())
    for kind in schema.type_map.values():
        # The resolvers speak Python: startTime comes to them as start_time.
        if isinstance(kind, GraphQLInputObjectType):
            for name, field in kind.fields.items():
                field.out_name = _snake(name)
        elif isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for field in kind.fields.values():
                for name, argument in field.args.items():
                    argument.out_name = _snake(name)
    return schema


def scheduled(cloud: Cloud, arrival: Arrival, codes: Sequence[str] | None) -> list[dict[str, Any]]:
    """A reading as the deprecated subscription sends it: one item for each register that is asked for."""
    reading = cloud.reading(arrival)
    common = {"meter": cloud.meter(arrival.home, arrival.place), "time": reading["time"]}
    return [common | value for value in reading["values"] if codes is None or value["code"] in codes]


def _bound(name: str, resolvers: Any) -> ObjectType:
    bound = ObjectType(name)
    for field, resolver in resolvers.items():
        bound.set_field(field, _with_cloud(resolver))
    return bound


def _with_cloud(resolver: Resolver) -> Any:
    return lambda source, info, **arguments: resolver(source, info.context, **arguments)


def _subscription() -> SubscriptionType:
    subscription = SubscriptionType()
    subscription.set_source("readings", _readings)
    subscription.set_field("readings", lambda reading, _info, **_arguments: reading)
    subscription.set_source("scheduledReadings", _scheduled)
    subscription.set_field("scheduledReadings", lambda reading, _info, **_arguments: reading)
    return subscription


async def _readings(
    _: Any, info: GraphQLResolveInfo[Any], *, start_time: float | None = None
) -> AsyncGenerator[dict[str, Any], None]:
    async for arrivals in info.context.live(start_time):
        for arrival in arrivals:
            yield info.context.reading(arrival)


async def _scheduled(
    _: Any, info: GraphQLResolveInfo[Any], *, obis_codes: Sequence[str] | None = None
) -> AsyncGenerator[dict[str, Any], None]:
    async for arrivals in info.context.live(None):
        for arrival in arrivals:
            for reading in scheduled(info.context, arrival, obis_codes):
                yield reading


def _scalars() -> list[ScalarType]:
    parsers = {"Uuid": _uuid, "DateTime": parse_stamp, "Date": parse_date, "ObisCode": plain}
    return [ScalarType(name, value_parser=parser) for name, parser in parsers.items()]


def _uuid(text: object) -> str:
    if not isinstance(text, str) or not _UUID.fullmatch(text):
        raise ValueError(f"{text!r} is no UUID")
    return text.lower()


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
