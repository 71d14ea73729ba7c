"""The client of the provider API: one method for each of its operations."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import date, datetime
from http import HTTPStatus
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import httpx

from iometer_exporter import __version__
from iometer_exporter.errors import ProviderError
from iometer_exporter.meter.json_object import JsonObject
from iometer_exporter.provider.api import answers, operations
from iometer_exporter.provider.api.credentials import Credentials
from iometer_exporter.provider.api.document import decode_answer
from iometer_exporter.provider.api.failures import UNREACHED, graphql_errors, provider_error, refused
from iometer_exporter.provider.api.models import (
    Installation,
    InstallationsPage,
    License,
    LicensePool,
    LicenseTerm,
    MeterReading,
    Provider,
    ReadingsPage,
    RegistrationToken,
    ScheduledReading,
    SigningKey,
    Unwanted,
    Wanted,
)
from iometer_exporter.provider.api.request import operation, socket_url, timestamp
from iometer_exporter.provider.api.status import check_status
from iometer_exporter.provider.api.tls import tls_context
from iometer_exporter.provider.api.transport import Answer, HttpTransport

_HAS_MSGSPEC: Final = find_spec("msgspec") is not None
"""Without it, as for a command that only asks and needs no extra, all goes the slow way."""

if _HAS_MSGSPEC:
    from iometer_exporter.provider.api import typed

T = TypeVar("T")
Parse = Callable[[JsonObject], T | None]

LARGEST_READINGS_PAGE: Final = 100
"""Readings of one call at most, by the API's document."""

_MOST_PROBLEMS: Final = 5
"""Problems named in one error."""


class ProviderClient:
    """Asks the API at the URL; an asynchronous context manager. The timeout in seconds is that of a request.

    Every method raises ProviderError where there is no data. Errors that the API reports beside its data
    stand in the answer.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        *,
        timeout: float = 30.0,
        wanted: Wanted | None = None,
    ) -> None:
        """Leave out installations, and readings of them, that are not wanted: the API gives all of them."""
        self._credentials = credentials
        self._wanted = wanted
        self._timeout = timeout
        self._socket_url = socket_url(url)
        self._headers = {
            "Authorization": credentials.authorization,
            "User-Agent": f"iometer-exporter/{__version__}",
        }
        self._tls = tls_context() if urlsplit(url).scheme == "https" else None
        self._http = HttpTransport(url, self._headers, self._tls)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def account(self) -> Provider:
        """The account with its signing keys and license pools."""
        root, errors = await self._provider(operations.ACCOUNT)
        return replace(answers.provider(root), errors=errors)

    async def installations(self, offset: int, limit: int) -> InstallationsPage:
        """A page of installations; the last one has fewer items than the limit."""
        answer = await self._post(
            operations.INSTALLATIONS, {"pagination": {"offset": offset, "limit": limit}}
        )
        if _HAS_MSGSPEC and answer.status == HTTPStatus.OK:
            page = typed.installations_page(answer.body, self._wanted)
            if page is not None:
                return page
        root, errors = self._root(answer)
        return replace(answers.installations_page(root, self._wanted), errors=errors)

    async def installation(
        self, *, id: str | None = None, external_id: str | None = None
    ) -> Installation | None:
        """The installation with the id or the external id; None if there is none."""
        return await self._one(
            operations.INSTALLATION, "installation", answers.installation, id=id, externalId=external_id
        )

    async def signing_key(self, id: str) -> SigningKey | None:
        """The signing key with the id; None if there is none."""
        return await self._one(operations.SIGNING_KEY, "signingKey", answers.signing_key, id=id)

    async def license_pool(self, id: str) -> LicensePool | None:
        """The license pool with the id; None if there is none."""
        return await self._one(operations.LICENSE_POOL, "licensePool", answers.license_pool, id=id)

    async def readings(
        self,
        *,
        start: datetime | None = None,
        limit: int = LARGEST_READINGS_PAGE,
        cursor: str | None = None,
    ) -> ReadingsPage:
        """Readings received from the start on, at most those of the last 24 hours, which the API keeps."""
        answer = await self._post(
            operations.READINGS, {"startTime": timestamp(start), "limit": limit, "cursor": cursor}
        )
        if _HAS_MSGSPEC and answer.status == HTTPStatus.OK:
            found = typed.readings_page(answer.body, self._wanted)
            if found is not None:
                return found
        root, errors = self._root(answer)
        page = root.get("readings")
        if not isinstance(page, dict):
            raise _no_data("provider.readings", errors)
        return replace(answers.readings_page(page, self._wanted), errors=errors)

    async def create_registration_token(
        self,
        *,
        external_id: str,
        signing_key_id: str,
        pool_id: str,
        start: date,
        installation_id: str | None = None,
    ) -> RegistrationToken:
        """A token with which the app registers an installation; it takes a license of the pool when used."""
        return await self._mutate(
            operations.REGISTER_INSTALLATION,
            "createRegistrationToken",
            answers.registration_token,
            installationId=installation_id,
            externalId=external_id,
            signingKeyId=signing_key_id,
            license={"poolId": pool_id, "startDate": start.isoformat()},
        )

    async def update_license(
        self,
        installation_id: str,
        *,
        term: LicenseTerm | None = None,
        end: datetime | None = None,
    ) -> License:
        """The license after its term or its end has been set; a set end removes the term."""
        return await self._mutate(
            operations.UPDATE_LICENSE,
            "updateLicense",
            answers.license_,
            installationId=installation_id,
            setTerm=None if term is None else {"period": term.period, "autoRenewal": term.auto_renewal},
            setEndTime=None if end is None else {"endTime": timestamp(end)},
        )

    def subscribe(
        self, start: datetime | None, *, opened: Callable[[], None] | None = None
    ) -> AsyncGenerator[MeterReading | ProviderError, None]:
        """Readings as the cloud receives them, and those received from the start on (at most 24 hours ago).

        A bad message is an error among them. `opened` is called when the API has accepted the socket;
        ProviderError is raised when the socket ends, the iteration ends when the API completes it.
        """
        return self._subscribe(
            operations.SUBSCRIBE_READINGS,
            "readings",
            self._wanted_reading,
            opened,
            typed.ReadingMessages(self._wanted) if _HAS_MSGSPEC else None,
            startTime=timestamp(start),
        )

    def subscribe_scheduled(
        self, codes: Sequence[str] | None = None, *, opened: Callable[[], None] | None = None
    ) -> AsyncGenerator[ScheduledReading | ProviderError, None]:
        """Single registers as the cloud receives them, of these OBIS codes or all; deprecated by the API."""
        return self._subscribe(
            operations.SUBSCRIBE_SCHEDULED_READINGS,
            "scheduledReadings",
            answers.scheduled_reading,
            opened,
            None,
            obisCodes=None if codes is None else list(codes),
        )

    def _wanted_reading(self, item: JsonObject) -> MeterReading | Unwanted | None:
        return answers.wanted_reading(item, self._wanted)

    async def _provider(self, document: str, **variables: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The object `provider` of the answer, and the errors beside it."""
        return self._root(await self._post(document, variables))

    def _root(self, answer: Answer) -> tuple[dict[str, Any], tuple[str, ...]]:
        data, errors = self._data(answer)
        root = data.get("provider")
        if not isinstance(root, dict):
            raise _no_data("provider", errors)
        return root, errors

    async def _one(self, document: str, field: str, parse_item: Parse[T], **variables: Any) -> T | None:
        root, errors = await self._provider(document, **variables)
        if root.get(field) is None:
            if errors:
                raise _no_data(f"provider.{field}", errors)
            return None
        return _parsed(root[field], f"provider.{field}", parse_item)

    async def _mutate(self, document: str, field: str, parse_item: Parse[T], **variables: Any) -> T:
        # Once only: a mutation whose answer was lost may have been done.
        data, errors = self._data(await self._post(document, variables, again=False))
        if data.get(field) is None:
            raise _no_data(field, errors)
        return _parsed(data[field], field, parse_item)

    async def _post(self, document: str, variables: dict[str, Any], *, again: bool = True) -> Answer:
        """The answer; raises ProviderError where there is none."""
        body = json.dumps(operation(document, variables)).encode()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._http.post(body, again=again)
        except ProviderError as error:
            raise self._naming_credentials(error) from error.__cause__
        except (*UNREACHED, httpx.TransportError) as error:
            raise self._naming_credentials(provider_error(error)) from error

    def _data(self, answer: Answer) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The data of the answer and the errors beside it; raises ProviderError where there is no data."""
        try:
            result = _result(answer)
        except ProviderError as error:
            raise self._naming_credentials(error) from error.__cause__
        data, errors = result.get("data"), result.get("errors")
        if isinstance(data, dict):
            return data, graphql_errors(errors) if errors else ()
        if errors:
            raise self._naming_credentials(refused(errors))
        raise ProviderError("invalid_document", "sent an answer without data")

    async def _subscribe(
        self,
        document: str,
        field: str,
        parse_item: Callable[[JsonObject], T | Unwanted | None],
        opened: Callable[[], None] | None,
        shortcut: Callable[[str], T | Unwanted | None] | None,
        **variables: Any,
    ) -> AsyncGenerator[T | ProviderError, None]:
        # Imported here: whoever only asks, does without websockets.
        from iometer_exporter.provider.api import websocket
        from iometer_exporter.provider.api.socket_failures import SOCKET_FAILED, socket_error

        messages: AsyncGenerator[T | websocket.Payload, None] = websocket.messages(
            self._socket_url,
            self._tls,
            headers=self._headers,
            opening={"Authorization": self._credentials.authorization},
            operation=operation(document, variables),
            timeout=self._timeout,
            opened=opened,
            shortcut=shortcut,
        )
        try:
            async with aclosing(messages):
                async for message in messages:
                    if not isinstance(message, websocket.Payload):
                        yield message
                        continue
                    if message.errors:
                        yield refused(message.errors)
                    data = message.data
                    if isinstance(data, dict) and data.get(field) is not None:
                        found: T | Unwanted | ProviderError = _message(data[field], field, parse_item)
                        if not isinstance(found, Unwanted):
                            yield found
        except ProviderError as error:
            raise self._naming_credentials(error) from error.__cause__
        except SOCKET_FAILED as error:
            raise self._naming_credentials(socket_error(error)) from error

    def _naming_credentials(self, error: ProviderError) -> ProviderError:
        """The error with the places of the credentials, where they were not accepted."""
        if error.reason != "unauthorized":
            return error
        where = self._credentials
        advice = f"check the token of {where.token_source} and the secret of {where.secret_source}"
        return ProviderError(error.reason, f"{error.what_happened}; {advice}", retry_after=error.retry_after)


def _result(answer: Answer) -> dict[str, Any]:
    """The document of the answer; raises ProviderError for what its status says, or what it lacks."""
    check_status(answer.status, answer.retry_after)
    try:
        return decode_answer(answer.body)
    except ProviderError as error:
        if answer.status >= 400:
            raise ProviderError("http_status", f"answered status {answer.status}") from error
        raise


def _parsed(item: object, path: str, parse_item: Parse[T]) -> T:
    found = JsonObject(item) if isinstance(item, dict) else None
    value = parse_item(found) if found is not None else None
    if value is None:
        problems = found.problems[:_MOST_PROBLEMS] if found is not None else ()
        detail = ", ".join(problems) or "it is not an object"
        raise ProviderError("invalid_document", f"sent a bad {path}: {detail}")
    return value


def _message(item: object, path: str, parse_item: Parse[T]) -> T | ProviderError:
    try:
        return _parsed(item, path, parse_item)
    except ProviderError as error:
        return error


def _no_data(path: str, errors: Sequence[str]) -> ProviderError:
    if errors:
        return ProviderError("graphql", f"gave no {path}: {'; '.join(errors[:_MOST_PROBLEMS])}")
    return ProviderError("invalid_document", f"sent an answer without {path}")
