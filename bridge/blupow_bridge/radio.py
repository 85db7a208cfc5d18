"""The Bluetooth of a bridge: it hears devices by one scan of its own, and finds the route to each.

The bridge is the only program of its machine that scans: a second scanner hears nothing, or hangs.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
import logging
from time import monotonic
from typing import Final

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from blupow_ble.protocol.radio import RADIO_ERRORS
from blupow_ble.reader import bluez, link_claim
from blupow_ble.reader.discovery import object_path_of
from blupow_ble.reader.link_errors import explain, no_adapter
from blupow_ble.reader.messages import Device
from blupow_ble.reader.route import Route, RouteKind
from blupow_ble.waiting import wait_at_most

_LOGGER = logging.getLogger(__name__)

HEARD_LATELY: Final = 60.0
"""Seconds for which a device counts as heard after its last advertisement."""
START_LIMIT: Final = 10.0
"""The start of a scan can hang for good when another program starts one in the same instant."""
SILENCE_LIMIT: Final = 90.0
"""A scan that has heard nothing at all for so long is started anew."""
FIRST_LISTEN: Final = 10.0
"""Seconds after the begin of a scan in which a device that was not heard yet is waited for."""
LOOK_PAUSE: Final = 0.25
CHECK_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 60.0
"""Between two tries to scan, where there is no adapter."""
CONNECTABLE_LIMIT: Final = 15.0
"""A device that BlueZ has just forgotten is waited for so long."""

type OnHeard = Callable[[], None]


@dataclass(slots=True)
class Heard:
    """The last advertisement of a device. `at` is seconds of the monotonic clock."""

    rssi: int
    at: float
    object_path: str | None


class Radio:
    """Hears devices, and gives each reading its route and its turn."""

    def __init__(self) -> None:
        """Hear nothing yet."""
        self.heard: dict[str, Heard] = {}
        """Devices that are listened to, by address."""
        self._listeners: dict[str, OnHeard] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._heard_at = 0.0
        self._scanning_since: float | None = None
        self._problem: ReaderError | None = None
        self._scanning: asyncio.Task[None] | None = None
        self._again = asyncio.Event()

    @property
    def problem(self) -> ReaderError | None:
        """Why nothing can be heard; None if it can."""
        return self._problem

    def start(self) -> None:
        """Begin to scan."""
        if self._scanning is None:
            self._scanning = asyncio.create_task(self._scan(), name="bluetooth scan")

    async def stop(self) -> None:
        """End the scan."""
        if self._scanning is not None:
            self._scanning.cancel()
            await asyncio.wait((self._scanning,))
            self._scanning = None

    def listen(self, address: str, on_heard: OnHeard) -> Callable[[], None]:
        """Have a listener called at each advertisement of a device; return what ends that."""
        self._listeners[address] = on_heard
        return lambda: self._listeners.pop(address, None) and None

    def rssi(self, address: str) -> int | None:
        """Return the signal strength (dBm) of a device that is heard."""
        heard = self._lately(address)
        return None if heard is None else heard.rssi

    async def route(self, address: str, name: str) -> Route:
        """Return the route to a device. Nothing but BlueZ is asked.

        Raises ReaderError: not_advertising, adapter_unavailable, held_by_other.
        """
        await self._refuse_held(address)
        if self._lately(address) is None and self._just_started:
            await self.wait_connectable(address)
        heard, known = self._lately(address), await bluez.known_object_paths(address)
        if known is None:
            text = "BlueZ cannot be asked: is bluetoothd running, and may this user use it?"
            raise ReaderError(ErrorCode.ADAPTER_UNAVAILABLE, text, stage=Stage.START)
        if heard is not None and heard.object_path not in known:
            # BlueZ makes its object anew with the next advertisement
            await self.wait_connectable(address)
            heard, known = self._lately(address), await bluez.known_object_paths(address) or []
        if heard is not None and heard.object_path in known:
            return _route(address, name, heard.object_path, "heard by the bridge")
        if closed := await self._close(address):
            reason = "not heard, but BlueZ still held a link to it"
            return _route(address, name, closed[0], reason)
        if self._problem is not None:
            raise self._problem
        if not await bluez.has_adapter():
            raise no_adapter()
        text = f"not heard by the bridge within {HEARD_LATELY:g} s"
        raise ReaderError(ErrorCode.NOT_ADVERTISING, text, stage=Stage.START)

    async def acquire(self, route: Route) -> Callable[[], None]:
        """Wait until neither the device nor the adapter is in use; return what releases both.

        First come, first served: one connection at a time over an adapter. A virtual device has none.
        """
        if route.kind is RouteKind.VIRTUAL:
            return lambda: None
        acquired: list[asyncio.Lock] = []

        def release() -> None:
            for lock in acquired:
                lock.release()

        try:
            for name in (route.device.address, route.source):
                await self._locks[name].acquire()
                acquired.append(self._locks[name])
        except BaseException:
            release()
            raise
        return release

    async def wait_connectable(self, address: str) -> bool:
        """Wait until a device can be connected to, at most for a while; return whether it can."""
        try:
            async with asyncio.timeout(CONNECTABLE_LIMIT):
                while not await self._is_connectable(address):
                    await asyncio.sleep(LOOK_PAUSE)
        except TimeoutError:
            return False
        return True

    async def close_links(self, address: str) -> None:
        """End the links that a program of ours has left. Raises ReaderError(held_by_other)."""
        await self._refuse_held(address)
        if await self._close(address):
            await self.wait_connectable(address)

    async def look_again(self, address: str) -> None:
        """Scan anew, and wait until a device can be connected to."""
        self.heard.pop(address, None)
        self._again.set()
        await self.wait_connectable(address)

    async def rediscover(self, address: str) -> None:
        """Have BlueZ forget a device and hear it anew. Raises ReaderError(held_by_other)."""
        await self._refuse_held(address)
        if await bluez.remove(address) is not None:
            await asyncio.to_thread(link_claim.forget, address)
        self.heard.pop(address, None)
        await self.wait_connectable(address)

    @property
    def _just_started(self) -> bool:
        """Whether the scan begins, or has begun so lately that nobody can have been heard."""
        if self._problem is not None:
            return False
        since = self._scanning_since
        return since is None or monotonic() - since < FIRST_LISTEN

    def _lately(self, address: str) -> Heard | None:
        heard = self.heard.get(address)
        if heard is None or monotonic() - heard.at > HEARD_LATELY:
            return None
        return heard

    async def _is_connectable(self, address: str) -> bool:
        heard = self._lately(address)
        if heard is None:
            return False
        return heard.object_path in (await bluez.known_object_paths(address) or [])

    async def _refuse_held(self, address: str) -> None:
        """Raise ReaderError(held_by_other) when another program of this machine is connected."""
        if not await bluez.connected_object_paths(address):
            return
        if not await asyncio.to_thread(link_claim.left_by_us, address):
            text = "another program of this machine is connected to the device"
            raise ReaderError(ErrorCode.HELD_BY_OTHER, text, stage=Stage.START)

    async def _close(self, address: str) -> list[str]:
        closed = await bluez.release(address)
        if closed is None:
            return []
        await asyncio.to_thread(link_claim.forget, address)
        return closed

    async def _scan(self) -> None:
        """Scan for good; begin anew when nothing is heard, or the adapter is gone."""
        pause = CHECK_PAUSE
        while True:
            self._again.clear()
            try:
                async with asyncio.timeout(START_LIMIT) as start:
                    scanner = BleakScanner(
                        self._on_advertisement, bluez={"filters": {"DuplicateData": True}}
                    )
                    async with scanner:
                        start.reschedule(None)
                        self._note_problem(None)
                        pause = CHECK_PAUSE
                        self._heard_at = monotonic()
                        if self._scanning_since is None:
                            self._scanning_since = self._heard_at
                        await self._until_silent()
                        start.reschedule(asyncio.get_running_loop().time() + START_LIMIT)
            except TimeoutError:
                text = "the scan did not start; another program may be scanning"
                self._note_problem(
                    ReaderError(ErrorCode.ADAPTER_UNAVAILABLE, text, stage=Stage.START)
                )
            except ReaderError as err:
                self._note_problem(err)
            except RADIO_ERRORS as err:
                self._note_problem(explain(err))
            except Exception as err:
                # a fault of the bridge: it must not end the scan for good
                _LOGGER.exception("[route] Bluetooth: a fault of the bridge itself")
                text = f"a fault of the bridge itself: {err!r}"
                self._note_problem(
                    ReaderError(ErrorCode.ADAPTER_UNAVAILABLE, text, stage=Stage.START)
                )
            if self._problem is not None:
                await wait_at_most(self._again, pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _until_silent(self) -> None:
        """Wait while something is heard, and the scan is not to begin anew.

        Raises ReaderError when the adapter is gone, of which a scan says nothing.
        """
        while not self._again.is_set() and monotonic() - self._heard_at < SILENCE_LIMIT:
            await wait_at_most(self._again, CHECK_PAUSE)
            if not await bluez.has_adapter():
                raise no_adapter()

    def _note_problem(self, problem: ReaderError | None) -> None:
        """Log each change once."""
        before, self._problem = self._problem, problem
        if problem is not None and (before is None or before.message != problem.message):
            _LOGGER.warning("[route] Bluetooth: %s", problem.message)
        elif problem is None and before is not None:
            _LOGGER.info("[route] Bluetooth: the adapter hears devices again")

    def _on_advertisement(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        self._heard_at = monotonic()
        address = device.address.upper()
        if (listener := self._listeners.get(address)) is None:
            return  # phones change their addresses all day
        self.heard[address] = Heard(
            rssi=advertisement.rssi,
            at=self._heard_at,
            object_path=object_path_of(device),
        )
        listener()


def _route(address: str, name: str, object_path: str, reason: str) -> Route:
    adapter = object_path.split("/")[3]
    device = Device(address=address, name=name, object_path=object_path, adapter=adapter)
    return Route(kind=RouteKind.ISOLATED, reason=reason, device=device, source=adapter)
