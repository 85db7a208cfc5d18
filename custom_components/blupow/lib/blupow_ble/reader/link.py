"""Connects to a device with bleak, within a timeout and with retries, and disconnects again."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, Final, override

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakBluetoothNotAvailableError, BleakDeviceNotFoundError
from bleak_retry_connector import (
    BleakClientWithServiceCache,
    BleakNotFoundError,
    BleakOutOfConnectionSlotsError,
    establish_connection,
    get_device,
)

from .. import connection_log
from ..protocol.errors import ErrorCode, ReaderError, Stage
from ..protocol.radio import RADIO_ERRORS, asks_for_pairing, detail_of, text_of
from .bluez import connected_object_paths, has_adapter
from .link_claim import ClaimedByOther, LinkClaim
from .timeouts import CONNECT_ATTEMPTS, DISCONNECT_BUDGET, retry_delay

SCAN_START_LIMIT: Final = 10.0

# What BlueZ, bleak and the bus call the causes; the first match counts.
_CAUSES: Final = (
    (
        ErrorCode.ADAPTER_UNAVAILABLE,
        (
            "adapter-not-powered",
            "NotReady",
            "ServiceUnknown",
            "NameHasNoOwner",
            "DBus.Error.Spawn",
            "DBus.Error.NoServer",
            "DBus.Error.Disconnected",
            "DBus.Error.NoReply",
            "org.bluez was not provided",
            "No Bluetooth adapters",
            "NoReply",
            "Disconnected from message bus",
        ),
    ),
    (ErrorCode.NO_SLOT, ("connection slot", "available connection")),
    (ErrorCode.HELD_BY_OTHER, ("InProgress", "abort-by-remote", "refused")),
    (ErrorCode.NOT_ADVERTISING, ("not found", "UnknownObject")),
)
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

_SENTENCES: Final = {
    ErrorCode.ADAPTER_UNAVAILABLE: "the Bluetooth adapter is off, unplugged or not served by BlueZ",
    ErrorCode.NO_SLOT: "the Bluetooth adapter or proxy has no free connection slot",
    ErrorCode.HELD_BY_OTHER: "the device refused the connection; another program or phone may hold it",
    ErrorCode.PAIRING_REQUIRED: "the device asks for pairing, which no Renogy device known does",
    ErrorCode.NOT_ADVERTISING: "Bluetooth does not know the device any more; it was not heard lately",
    ErrorCode.CONNECT_FAILED: "the connection failed",
}


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
        self._fresh_services = bypass_service_cache
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
            if self._fresh_services:
                self._fresh_services = False
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
                    use_services_cache=not self._fresh_services,
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
        return _no_adapter()

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


def _no_adapter() -> ReaderError:
    code = ErrorCode.ADAPTER_UNAVAILABLE
    return ReaderError(code, _SENTENCES[code], stage=Stage.CONNECT)


def _held(message: str) -> ReaderError:
    return ReaderError(ErrorCode.HELD_BY_OTHER, message, stage=Stage.CONNECT)


def explain(err: BaseException) -> ReaderError:
    """Return the ReaderError for an exception that bleak or D-Bus raised while connecting."""
    code = _cause(err)
    return ReaderError(code, f"{_SENTENCES[code]} ({detail_of(err)})", stage=Stage.CONNECT)


def _cause(err: BaseException) -> ErrorCode:
    """Return the code for an exception, by its type, else by what its text says."""
    chain = [err]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    for link in chain:
        if isinstance(link, BleakBluetoothNotAvailableError):
            return ErrorCode.ADAPTER_UNAVAILABLE
        if isinstance(link, BleakOutOfConnectionSlotsError):
            return ErrorCode.NO_SLOT
        if isinstance(link, BleakDeviceNotFoundError | BleakNotFoundError):
            return ErrorCode.NOT_ADVERTISING
    if asks_for_pairing(err):
        return ErrorCode.PAIRING_REQUIRED
    text = text_of(err)
    for code, signs in _CAUSES:
        if any(sign in text for sign in signs):
            return code
    if isinstance(chain[-1], FileNotFoundError | PermissionError | ValueError):
        return ErrorCode.ADAPTER_UNAVAILABLE  # no D-Bus to talk to: no socket, no entry, no address
    return ErrorCode.CONNECT_FAILED


def object_path_of(device: BLEDevice) -> str | None:
    """Return the BlueZ object path of a device; None if it was not found through BlueZ."""
    details = device.details
    return details.get("path") if isinstance(details, dict) else None


def known_device(address: str, name: str, object_path: str) -> BLEDevice:
    """Return the device at a BlueZ object path that Home Assistant has seen. Nothing is scanned."""
    adapter = object_path.rpartition("/")[0]
    return BLEDevice(
        address, name, {"path": object_path, "props": {"Address": address, "Adapter": adapter}}
    )


async def find_known(address: str) -> BLEDevice:
    """Return a device that BlueZ knows. Nothing is scanned.

    Raises ReaderError: not_advertising, adapter_unavailable.
    """
    if device := await get_device(address):
        return device
    if not await has_adapter():
        raise _no_adapter()
    raise ReaderError(
        ErrorCode.NOT_ADVERTISING,
        f"Bluetooth does not know {address}; it was not heard lately",
        stage=Stage.CONNECT,
    )


async def find_device(address: str, scan_time: float) -> BLEDevice:
    """Return a device that BlueZ knows, else scan for it. Not for use beside Home Assistant's scanner.

    A plain scan beside another client's reports nothing new: the DuplicateData filter makes BlueZ
    signal each advertisement. Raises ReaderError: not_advertising, adapter_unavailable.
    """
    if device := await get_device(address):
        return device
    found = await scan(scan_time, stop_at=address)
    if address in found:
        return found[address][0]
    raise ReaderError(
        ErrorCode.NOT_ADVERTISING,
        f"{address} was not heard within {scan_time:g} s",
        stage=Stage.CONNECT,
    )


async def scan(
    scan_time: float, stop_at: str | None = None
) -> dict[str, tuple[BLEDevice, AdvertisementData]]:
    """Return the devices heard, by address. Raises ReaderError(adapter_unavailable)."""
    found: dict[str, tuple[BLEDevice, AdvertisementData]] = {}
    heard = asyncio.Event()

    def on_advertisement(device: BLEDevice, advertisement: AdvertisementData) -> None:
        found[device.address] = (device, advertisement)
        if device.address == stop_at:
            heard.set()

    try:
        # the start itself can hang for good when another scan starts in the same instant
        async with (
            asyncio.timeout(scan_time + SCAN_START_LIMIT),
            BleakScanner(on_advertisement, bluez={"filters": {"DuplicateData": True}}),
        ):
            await _wait_at_most(heard, scan_time)
    except TimeoutError:
        raise ReaderError(
            ErrorCode.ADAPTER_UNAVAILABLE,
            "the scan did not start; another program is scanning",
            stage=Stage.CONNECT,
        ) from None
    except RADIO_ERRORS as err:
        raise explain(err) from err
    return found


async def _wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, or until the time is up."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
