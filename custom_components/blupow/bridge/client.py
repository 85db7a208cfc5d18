"""Talks to one bridge over HTTP; the WebSocket is opened here too, and kept elsewhere."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
import json
from typing import Any, Final

import aiohttp
from yarl import URL

from ..lib.blupow_ble.bridge_messages import (
    API_VERSION,
    BridgeInfo,
    DeviceReport,
    Malformed,
    parse_info,
    parse_report,
    parse_reports,
)
from ..lib.blupow_ble.protocol.errors import ChangeUnknown, ErrorCode, ReaderError, Stage
from ..lib.blupow_ble.reader.messages import MALFORMED, Message

REQUEST_LIMIT: Final = 20.0
"""Seconds for what the bridge answers by itself."""
WORK_LIMIT: Final = 300.0
"""Seconds for what it does with a device: all steps of a recovery take minutes."""
HEARTBEAT: Final = 20.0
"""Seconds between pings: a connection over which nothing comes back is given up."""
LARGEST_MESSAGE: Final = 8 << 20


class BridgeError(Exception):
    """Talking to the bridge has failed."""


class CannotConnect(BridgeError):
    """The bridge does not answer; `sent` where it may have got the request all the same."""

    def __init__(self, message: str, *, sent: bool = False) -> None:
        """Keep the reason, a sentence."""
        super().__init__(message)
        self.sent = sent


class InvalidToken(BridgeError):
    """The bridge does not take the token."""


class NewerBridge(BridgeError):
    """The bridge is of a release that this one does not understand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeAddress:
    """Where a bridge is, and how it is told from others."""

    host: str
    port: int
    tls: bool
    verify: bool
    """Whether its certificate must be valid."""
    token: str

    @property
    def url(self) -> URL:
        """Its address."""
        scheme = "https" if self.tls else "http"
        return URL.build(scheme=scheme, host=self.host, port=self.port)


class BridgeClient:
    """Asks one bridge."""

    def __init__(self, session: aiohttp.ClientSession, address: BridgeAddress) -> None:
        """Prepare to ask."""
        self._session = session
        self.address: Final = address
        self.requests = 0
        """How many requests were made, beside the WebSocket."""

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.address.token}"}

    async def info(self) -> BridgeInfo:
        """Return which bridge it is. Raises BridgeError."""
        return check_info(await self._ask("GET", "stats"))

    async def devices(self) -> tuple[DeviceReport, ...]:
        """Return its devices. Raises BridgeError."""
        try:
            reports, _ = parse_reports((await self._ask("GET", "devices"))["devices"])
        except (Malformed, *MALFORMED) as err:
            raise CannotConnect(f"the bridge's answer is not understood: {err}") from err
        return reports

    async def device(self, device_id: str) -> DeviceReport:
        """Return one device. Raises BridgeError, ReaderError."""
        try:
            return parse_report(await self._ask("GET", f"devices/{device_id}"))
        except Malformed as err:
            raise CannotConnect(f"the bridge's answer is not understood: {err}") from err

    async def have_done(self, device_id: str, what: str, body: Mapping[str, Any]) -> Message:
        """Have something done with a device; return the answer. Raises BridgeError, ReaderError."""
        return await self._ask("POST", f"devices/{device_id}/{what}", body, WORK_LIMIT)

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        limit: float = REQUEST_LIMIT,
    ) -> Message:
        self._check_open()
        self.requests += 1
        timeout = aiohttp.ClientTimeout(total=limit, sock_connect=REQUEST_LIMIT)
        try:
            async with self._session.request(
                method,
                self.address.url / "api" / "v1" / path,
                json=body,
                headers=self._headers,
                timeout=timeout,
                ssl=self.address.verify,
                allow_redirects=False,
            ) as response:
                answer, status = await _whole_body(response), response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as err:
            sent = not isinstance(err, aiohttp.ClientConnectorError)
            raise CannotConnect(_reason(err), sent=sent) from err
        try:
            return _answer(status, answer)
        except CannotConnect as err:
            err.sent = True  # something has answered: nobody knows what it has done
            raise

    async def open_socket(self, resume: tuple[str, int] | None) -> aiohttp.ClientWebSocketResponse:
        """Open the WebSocket; `resume` is the instance and the last number that was received.

        Raises BridgeError.
        """
        self._check_open()
        url = self.address.url / "api" / "v1" / "ws"
        if resume is not None:
            url = url.with_query(instance=resume[0], after=str(resume[1]))
        try:
            async with asyncio.timeout(REQUEST_LIMIT):
                return await self._session.ws_connect(
                    url,
                    headers=self._headers,
                    heartbeat=HEARTBEAT,
                    max_msg_size=LARGEST_MESSAGE,
                    ssl=self.address.verify,
                )
        except aiohttp.WSServerHandshakeError as err:
            if err.status == HTTPStatus.UNAUTHORIZED:
                raise InvalidToken("the bridge does not take the token") from err
            raise CannotConnect(f"the bridge answers with status {err.status}") from err
        except (aiohttp.ClientError, TimeoutError, OSError) as err:
            raise CannotConnect(_reason(err)) from err

    def _check_open(self) -> None:
        """Raise CannotConnect where Home Assistant has closed its session: it stops."""
        if self._session.closed:
            raise CannotConnect("Home Assistant is stopping")


async def _whole_body(response: aiohttp.ClientResponse) -> bytes:
    """Return what is answered. Raises CannotConnect where it is too much."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_chunked(65_536):
        size += len(part)
        if size > LARGEST_MESSAGE:
            raise CannotConnect("the answer of the bridge is too large", sent=True)
        parts.append(part)
    return b"".join(parts)


def check_info(message: object) -> BridgeInfo:
    """Return which bridge it is. Raises BridgeError."""
    try:
        info = parse_info(message)
    except Malformed as err:
        raise CannotConnect("what answers there is no BluPow bridge") from err
    if info.api > API_VERSION:
        raise NewerBridge(
            f"the bridge has release {info.version}, which is newer than this one understands"
        )
    return info


def _answer(status: int, body: bytes) -> Message:
    """Return the answer to a request. Raises BridgeError, ReaderError."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as err:
        raise CannotConnect("what answers there is no BluPow bridge") from err
    if not isinstance(found, dict):
        raise CannotConnect("what answers there is no BluPow bridge")
    if status < HTTPStatus.BAD_REQUEST:
        return found
    if status == HTTPStatus.UNAUTHORIZED:
        raise InvalidToken("the bridge does not take the token")
    error = found.get("error")
    error = error if isinstance(error, dict) else {}
    message = str(error.get("message", f"the bridge answers with status {status}"))
    try:
        code, stage = ErrorCode(error["code"]), Stage(error["stage"])
    except KeyError, ValueError:
        raise CannotConnect(message) from None
    kind = ChangeUnknown if error.get("unknown") is True else ReaderError
    raise kind(code, message, stage=stage)


def _reason(err: BaseException) -> str:
    """Return why a bridge does not answer, as a sentence without its address."""
    match err:
        case TimeoutError():
            return "the bridge does not answer in time"
        case aiohttp.ClientConnectorCertificateError():
            return "the certificate of the bridge is not valid"
        case aiohttp.ClientSSLError():
            return "the bridge does not speak TLS there, or not one that is trusted"
        case aiohttp.ClientConnectorDNSError():
            return "the name of the bridge is not known in this network"
        case aiohttp.ClientConnectorError():
            return f"the bridge cannot be reached ({err.strerror or 'no connection'})"
    return f"the connection to the bridge has ended ({type(err).__name__})"
