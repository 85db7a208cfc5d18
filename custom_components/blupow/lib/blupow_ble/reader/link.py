"""Connects to a device with bleak, within a timeout and with retries, and disconnects again."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, Final, override

from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak_retry_connector import (
    BleakClientWithServiceCache,
    BleakOutOfConnectionSlotsError,
    establish_connection,
)

from .. import connection_log
from ..protocol.errors import ErrorCode, ReaderError, Stage
from ..protocol.radio import RADIO_ERRORS, detail_of
from .bluez import connected_object_paths, has_adapter
from .discovery import object_path_of
from .link_claim import ClaimedByOther, LinkClaim
from .link_errors import explain, no_adapter
from .timeouts import CONNECT_ATTEMPTS, DISCONNECT_BUDGET, retry_delay

_FINAL: Final = frozenset(
    {
        ErrorCode.ADAPTER_UNAVAILABLE,
        ErrorCode.NO_SLOT,
        ErrorCode.NOT_ADVERTISING,
        ErrorCode.PAIRING_REQUIRED,
    }
)
"""Causes that a second attempt two seconds later does not cure."""

_MAYBE_NO_ADAPTER: Final = frozenset(
    {ErrorCode.NOT_ADVERTISING, ErrorCode.CONNECT_FAILED, ErrorCode.CONNECT_TIMEOUT}
)
"""What connecting over an adapter that is off, or gone, may look like."""


class BleLink:
    """A link to a Bluetooth device.

    A fast failure is retried after a pause with what is left of the timeout; a slow one has used it up.
    """

    def __init__(
        self,
        device: BLEDevice,
        timeout: float,
        *,
        client_class: type[BleakClient] | None = None,
        bypass_service_cache: bool = False,
        on_attempt: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Prepare a link. Without client_class, bleak itself is given the whole timeout for a connect.

        bypass_service_cache: the services are asked for anew, whatever was remembered of them.
        """
        self._device = device
        self._timeout = timeout
        self._client_class = client_class
        self._bypass_service_cache = bypass_service_cache
        self._on_attempt = on_attempt
        self._client: BleakClient | None = None
        self._claim: LinkClaim | None = None
        self._number = 0
        self.disconnected = asyncio.Event()
        self.attempts = 0

    async def connect(self) -> BleakClient:
        """Connect. Raises ReaderError with the cause."""
        if object_path_of(self._device) is not None:
            await self._take_claim()
        try:
            client = await self._connect()
            if self._bypass_service_cache:
                self._bypass_service_cache = False
                if await self.forget_services():
                    await self._hang_up()
                    client = await self._connect()
        except ReaderError:
            await self._end_claim(disconnected=not await self._leftover_stands())
            raise
        return client

    async def _leftover_stands(self) -> bool:
        """Whether a link that a program of ours has left behind, maybe over another adapter, is still there."""
        leftover = self._claim is not None and self._claim.leftover
        # where BlueZ cannot be asked, the link may still be there
        return leftover and await connected_object_paths(self._device.address) != []

    async def _take_claim(self) -> None:
        """Make sure that nobody else has the device. Raises ReaderError(held_by_other).

        A link that a program of ours has left behind is taken over: BlueZ lets us join it.
        """
        if self._claim is not None:
            return
        taking = asyncio.ensure_future(asyncio.to_thread(LinkClaim.take, self._device.address))
        try:
            self._claim = await asyncio.shield(taking)
        except ClaimedByOther:
            raise _held("another BluPow program is connected to the device") from None
        except asyncio.CancelledError:
            with suppress(ClaimedByOther):
                self._claim = await taking  # given back by disconnect
            raise
        if not self._claim.leftover and await connected_object_paths(self._device.address):
            await self._end_claim(disconnected=True)
            raise _held("another program of this machine is connected to the device")
        await asyncio.to_thread(self._claim.note)

    async def _end_claim(self, *, disconnected: bool) -> None:
        claim, self._claim = self._claim, None
        if claim is not None:
            await asyncio.to_thread(claim.end, disconnected=disconnected)

    async def forget_services(self) -> bool:
        """Forget what a proxy and Home Assistant remember of the device's services.

        Asking for a connect without a cache does not reach what bleak-esphome keeps. BlueZ's own memory
        goes with its object (step 3 of a recovery).
        """
        clear_cache = getattr(self._client, "clear_cache", None)
        if clear_cache is None or object_path_of(self._device) is not None:
            return False
        try:
            async with asyncio.timeout(DISCONNECT_BUDGET):
                cleared: bool = await clear_cache()
        except RADIO_ERRORS as err:
            connection_log.debug(f"services could not be forgotten: {detail_of(err)}")
            return False
        return cleared

    async def _connect(self) -> BleakClient:
        """Connect, with another attempt. Raises ReaderError with the cause."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        for attempt in count(1):
            self.attempts += 1
            self._on_attempt(self.attempts)
            try:
                return await self._attempt(deadline)
            except ReaderError as err:
                pause = retry_delay(attempt)
                late = asyncio.get_running_loop().time() + pause >= deadline
                if attempt >= CONNECT_ATTEMPTS or late or err.code in _FINAL:
                    raise await self._told_apart(err) from err
                connection_log.debug(f"connecting again in {pause:g} s: {err.message}")
                await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    async def _attempt(self, deadline: float) -> BleakClient:
        """Try once; raises ReaderError."""
        left = max(deadline - asyncio.get_running_loop().time(), 0.1)
        self._number += 1
        number = self._number
        if self._client_class is None:
            client_class: type[BleakClient] = _until(deadline)
            # Bleak keeps the deadline itself and then takes its pending connect back, which must
            # not be cut short: BlueZ would go on connecting by itself.
            guard = deadline + DISCONNECT_BUDGET
        else:
            client_class, guard = self._client_class, deadline
        try:
            async with asyncio.timeout_at(guard):
                self._client = await establish_connection(
                    client_class,
                    self._device,
                    self._device.name or self._device.address,
                    disconnected_callback=lambda _: self._on_disconnect(number),
                    max_attempts=1,
                    use_services_cache=not self._bypass_service_cache,
                    timeout=left,
                )
        except TimeoutError:
            raise self._timed_out() from None
        except RADIO_ERRORS as err:
            no_slot = isinstance(err, BleakOutOfConnectionSlotsError)
            if isinstance(err.__cause__, TimeoutError) and not no_slot:
                raise self._timed_out() from err
            raise explain(err) from err
        # A link that dropped and was made again while connecting has called back too: what counts
        # is whether it stands now.
        if self._client.is_connected:
            self.disconnected.clear()
        else:
            self.disconnected.set()
        return self._client

    async def _told_apart(self, err: ReaderError) -> ReaderError:
        """Tell a device that cannot be connected to from an adapter that is off, or gone with all its devices."""
        object_path = object_path_of(self._device)
        if (
            err.code not in _MAYBE_NO_ADAPTER
            or object_path is None
            or await has_adapter(object_path)
        ):
            return err
        return no_adapter()

    def _timed_out(self) -> ReaderError:
        return ReaderError(
            ErrorCode.CONNECT_TIMEOUT,
            f"no connection within {self._timeout:g} s; the device is too far away, off, or held by a phone",
            stage=Stage.CONNECT,
        )

    def _on_disconnect(self, number: int) -> None:
        """Tell whoever waits for an answer; a connection of the past tells nothing any more."""
        if number == self._number:
            self.disconnected.set()

    async def disconnect(self) -> None:
        """Disconnect; a failure is only logged, as there is nothing left to do about it here."""
        gone = False
        try:
            if self._client is None:  # cancelled while connecting, or never connected
                gone = not await self._leftover_stands()
            else:
                gone = await self._hang_up()
        finally:
            await self._end_claim(disconnected=gone)

    async def _hang_up(self) -> bool:
        """Disconnect, and keep the claim; return whether no link is left."""
        client, self._client = self._client, None
        assert client is not None
        try:
            async with asyncio.timeout(DISCONNECT_BUDGET):
                await client.disconnect()
        except RADIO_ERRORS as err:  # a TimeoutError is an OSError
            connection_log.debug(f"disconnecting failed: {detail_of(err)}")
            return False
        return True


def _until(deadline: float) -> type[BleakClient]:
    """Return a client class that gives each connect what is left until the deadline.

    establish_connection gives every attempt a fixed 20 s, which a growing timeout could never exceed.
    """

    class DeadlineClient(BleakClientWithServiceCache):
        @override
        async def connect(self, **kwargs: Any) -> None:
            left = max(deadline - asyncio.get_running_loop().time(), 0.1)
            await super().connect(**(kwargs | {"timeout": left}))

    return DeadlineClient


def _held(message: str) -> ReaderError:
    return ReaderError(ErrorCode.HELD_BY_OTHER, message, stage=Stage.CONNECT)
