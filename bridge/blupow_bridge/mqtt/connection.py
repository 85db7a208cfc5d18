"""The connection to a broker: made, lost, and made again by the rules of the supervisor."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
import logging
import random
import ssl
from time import monotonic
from typing import Any, Final

import aiomqtt
from blupow_ble.supervisor.policies import RECOVERY_JITTER
from blupow_ble.supervisor.reconnection import Attempt, Reconnection
from blupow_ble.waiting import wait_at_most
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY

from ..config import MqttConfig
from .causes import TEXTS, Cause, cause_of
from .client import Client
from .credentials import Credentials, CredentialsUnknown, read_credentials
from .diagnostics import ConnectionDiagnostics, ConnectionEvent, EventKind
from .tls import CertificateUnusable, check_handshake, tls_context

_LOGGER = logging.getLogger(__name__)
_CLIENT_LOGGER = logging.getLogger(f"{__name__}.client")
_CLIENT_LOGGER.setLevel(logging.CRITICAL)  # what it says is told here, with its cause

CONNECT_LIMIT: Final = 10.0
"""Seconds within which a broker must take a client."""
ACKNOWLEDGE_LIMIT: Final = 30.0
"""Seconds within which a broker must acknowledge what is sent."""
LEAVE_LIMIT: Final = 2.0
DRAIN_LIMIT: Final = 5.0
MOST_INCOMING: Final = 1000
"""Messages of others that may wait to be handled."""

MOST_IN_FLIGHT: Final = 10
"""Messages that are not acknowledged yet: no broker that is known takes fewer at a time."""

type Session = Callable[[Client], Awaitable[None]]
type Wait = Callable[[asyncio.Event, float], Awaitable[None]]


@dataclass(slots=True)
class ClientSetup:
    """What clients are made of, until a recovery makes it anew."""

    credentials: Credentials
    tls: ssl.SSLContext | None
    protocol: aiomqtt.ProtocolVersion


class BrokerConnection:
    """Keeps a connection to a broker, for good.

    `session` is run with each new connection, and should only end with it. The identifier must be one that
    no other client of the broker has.
    """

    def __init__(
        self,
        config: MqttConfig,
        *,
        identifier: str,
        session: Session,
        will: aiomqtt.Will | None = None,
        on_event: Callable[[ConnectionEvent], None] = lambda _: None,
        wait: Wait = wait_at_most,
    ) -> None:
        """Prepare to connect; `on_event` is called with each event of the connection."""
        self.config: Final = config
        self.diagnostics: Final = ConnectionDiagnostics()
        self.connected = False
        self.cause: Cause | None = None
        """Why there is no connection; None while there is one, or before the first attempt."""
        self.message = ""
        self.reconnection = Reconnection(strategy=config.strategy)
        self.next_attempt_at: float | None = None
        """When the next attempt is due, by the monotonic clock."""
        self._identifier = identifier
        self._session = session
        self._will = will
        self._on_event = on_event
        self._wait = wait
        self._reset = asyncio.Event()
        self._setup: ClientSetup | None = None
        self._connected_at = 0.0
        self._fault: str | None = None
        """A fault of the bridge itself that was logged already."""

    @property
    def name(self) -> str:
        """The broker, for people."""
        host, port = self.config.address
        return f"{host}:{port}"

    @property
    def protocol(self) -> str | None:
        """The version of MQTT that is spoken; None before the first attempt."""
        if self._setup is None:
            return None
        return "5" if self._setup.protocol is aiomqtt.ProtocolVersion.V5 else "3.1.1"

    def reset(self) -> None:
        """Begin anew, now: with a new client and credentials that are read again."""
        if not self.connected:
            self._reset.set()

    async def run(self) -> None:
        """Connect, and connect again, until this is cancelled."""
        attempt = await self._due(self.reconnection.next(1.0))
        while True:
            try:
                await self._connect(attempt)
                cause, message = Cause.CLOSED, "the session has ended"
            except (aiomqtt.MqttError, OSError, CredentialsUnknown, CertificateUnusable) as err:
                cause, message = cause_of(err)
                cause, message = await self._cause_after_all(cause, message)
            except Exception as err:
                # a fault of the bridge: it must not end the publishing for good
                if self._fault != (fault := repr(err)):
                    self._fault = fault
                    _LOGGER.exception("[mqtt] a fault of the bridge itself")
                cause, message = Cause.CLOSED, f"a fault of the bridge itself: {fault}"
            if self._falls_back(cause):
                attempt = Attempt(pause=0.0)
                continue
            self._note_end(cause, message)
            attempt = await self._due(
                self.reconnection.next(
                    random.uniform(*RECOVERY_JITTER),
                    credentials_refused=cause is Cause.CREDENTIALS_REFUSED,
                )
            )

    async def _due(self, attempt: Attempt) -> Attempt:
        """Wait until an attempt is due; return what is to be done, which a reset changes."""
        self.next_attempt_at = monotonic() + attempt.pause
        await self._wait(self._reset, attempt.pause)
        if self._reset.is_set():
            self._reset.clear()
            self.reconnection = self.reconnection.reset()
            self._note(EventKind.RESET)
            _LOGGER.info("[mqtt] %s: begins anew, as it was asked to", self.name)
            attempt = Attempt(pause=0.0, new_client=True, new_credentials=True)
        elif self.reconnection.recovers:
            self._note(EventKind.RECOVERY_STARTED, recovery=self.reconnection.recovery)
            _LOGGER.debug("[mqtt] %s: recovery %d", self.name, self.reconnection.recovery)
        self.next_attempt_at = None
        return attempt

    async def _connect(self, attempt: Attempt) -> None:
        """Connect, and run a session. Raises MqttError, OSError, CredentialsUnknown, CertificateUnusable."""
        setup = await self._prepare(attempt)
        host, port = self.config.address
        if setup.tls is not None:
            await check_handshake(host, port, setup.tls)
        is_5 = setup.protocol is aiomqtt.ProtocolVersion.V5
        client = Client(
            host,
            port,
            username=setup.credentials.username,
            password=setup.credentials.password,
            identifier=self._identifier,
            protocol=setup.protocol,
            will=self._will,
            clean_session=None if is_5 else True,
            clean_start=is_5 or MQTT_CLEAN_START_FIRST_ONLY,
            timeout=CONNECT_LIMIT,
            keepalive=self.config.keepalive,
            max_queued_incoming_messages=MOST_INCOMING,
            max_inflight_messages=MOST_IN_FLIGHT,
            tls_context=setup.tls,
            logger=_CLIENT_LOGGER,
        )
        await _enter(client)
        self._connected_at = monotonic()
        try:
            client.timeout = ACKNOWLEDGE_LIMIT
            self._note_connected()
            await self._session(client)
        finally:
            await _leave(client, LEAVE_LIMIT)

    async def _prepare(self, attempt: Attempt) -> ClientSetup:
        """Return what a client is made of. Raises CredentialsUnknown, CertificateUnusable."""
        before = self._setup
        if before is not None and not attempt.new_client and not attempt.new_credentials:
            return before
        if before is None or attempt.new_credentials:
            credentials = await read_credentials(self.config)
        else:
            credentials = before.credentials
        tls = await asyncio.to_thread(tls_context, self.config) if self.config.tls else None
        oldest = self.config.protocol == "3.1.1"
        protocol = aiomqtt.ProtocolVersion.V311 if oldest else aiomqtt.ProtocolVersion.V5
        self._setup = ClientSetup(credentials, tls, protocol)
        return self._setup

    async def _cause_after_all(self, cause: Cause, message: str) -> tuple[Cause, str]:
        """Return why a broker has not answered at all; a certificate that it refuses looks the same."""
        tls = self._setup.tls if self._setup else None
        if tls is None or self.connected or cause not in (Cause.NO_ANSWER, Cause.CLOSED):
            return cause, message
        host, port = self.config.address
        try:
            await check_handshake(host, port, tls, wait_for_refusal=True)
        except OSError as err:
            found = cause_of(err)
            return found if found[0] is Cause.CERTIFICATE_REFUSED else (cause, message)
        return cause, message

    def _falls_back(self, cause: Cause) -> bool:
        """Whether to connect at once by the older version of MQTT."""
        setup = self._setup
        if cause is not Cause.PROTOCOL_REFUSED or self.config.protocol != "auto" or setup is None:
            return False
        if setup.protocol is aiomqtt.ProtocolVersion.V311:
            return False
        setup.protocol = aiomqtt.ProtocolVersion.V311
        _LOGGER.info("[mqtt] %s: has no MQTT 5, and is spoken to by 3.1.1", self.name)
        return True

    # What has happened

    def _note(self, kind: EventKind, **facts: Any) -> None:
        self._on_event(self.diagnostics.note(kind, **facts))

    def _note_connected(self) -> None:
        self.connected, self.cause, self.message = True, None, ""
        self._reset.clear()  # that is done
        self._note(
            EventKind.CONNECTED,
            attempt=self.reconnection.attempt,
            recovery=self.reconnection.recovery,
        )
        _LOGGER.info("[mqtt] %s: connected, by MQTT %s", self.name, self.protocol)

    def _note_end(self, cause: Cause, message: str) -> None:
        """Note that an attempt has failed, or that a connection was lost; each new cause is logged once."""
        news = self.connected or cause is not self.cause
        was_connected, failed = self.connected, self.reconnection.failed
        self.connected, self.cause, self.message = False, cause, message
        facts = {"attempt": self.reconnection.attempt, "recovery": self.reconnection.recovery}
        if was_connected:
            seconds = monotonic() - self._connected_at
            self._note(EventKind.DISCONNECTED, cause=cause, message=message, seconds=seconds)
            self.reconnection = self.reconnection.after_session(seconds)
        else:
            self._note(EventKind.ATTEMPT_FAILED, cause=cause, message=message, **facts)
            self.reconnection = self.reconnection.after_failure()
        if news:
            what = "the connection is lost" if was_connected else "not connected"
            _LOGGER.warning("[mqtt] %s: %s: %s (%s)", self.name, what, TEXTS[cause], message)
        if self.reconnection.failed and not failed:
            self._note(EventKind.RECONNECTION_FAILED, cause=cause, message=message, **facts)
            _LOGGER.warning(
                "[mqtt] %s: reconnection failed: %s; nothing is published until a recovery works",
                self.name,
                TEXTS[cause],
            )


async def _enter(client: Client) -> None:
    """Connect a client; nothing of it is left if that fails. Raises MqttError.

    aiomqtt connects in a thread, which cannot be cancelled: it is waited for.
    """
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(entering)
    except asyncio.CancelledError:
        client.timeout = LEAVE_LIMIT
        await asyncio.wait((entering,))
        if not entering.cancelled():
            entering.exception()
        await _leave(client, LEAVE_LIMIT)
        raise
    except BaseException:
        await _leave(client, 0.0)
        raise


async def _leave(client: aiomqtt.Client, seconds: float) -> None:
    """Disconnect, within so many seconds; nothing of the client is left, whatever the broker does."""
    client.timeout = seconds
    try:
        await client.__aexit__(None, None, None)
    except aiomqtt.MqttError:
        return  # the time is up: the client knows nothing more
    with suppress(aiomqtt.MqttError, TimeoutError):
        async with asyncio.timeout(DRAIN_LIMIT):
            # the client keeps why it was disconnected until it is asked
            async for _ in client.messages:
                pass
