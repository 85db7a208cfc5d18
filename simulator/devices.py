"""Devices: heard, connected, disconnected, forgotten, as bluetoothd does it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
import random
from typing import Any, Final

from dbus_fast import Message, Variant

from . import gatt
from .adapters import Adapter, Adapters
from .faults import FaultName
from .monitors import Monitors
from .objects import DEVICE, ObjectTree, bluez_error, failed
from .peripheral import Peripheral

type Answer = tuple[str, list[Any]]
type Spawn = Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]

TICK: Final = 0.05
TEMPORARY_TIMEOUT: Final = 30.0
"""A device that was never connected is forgotten so long after it was last heard."""
RSSI_THRESHOLD: Final = 8
"""Smaller changes of the signal strength are not signaled."""


@dataclass(slots=True)
class Pending:
    """A connect that BlueZ works on. It outlives the client that asked for it."""

    reply: asyncio.Future[None]


class Devices:
    """All devices that were heard."""

    def __init__(
        self,
        tree: ObjectTree,
        adapters: Adapters,
        monitors: Monitors,
        peripherals: dict[str, Peripheral],
        spawn: Spawn,
    ) -> None:
        """Start with none heard."""
        self._tree = tree
        self._adapters = adapters
        self._monitors = monitors
        self._peripherals = peripherals
        self._spawn = spawn
        self._last_heard: dict[str, float] = {}
        self._temporary: set[str] = set()
        self._pending: dict[str, Pending] = {}
        self._link_tasks: dict[str, list[asyncio.Task[Any]]] = {}
        self.most_at_once: Counter[str] = Counter()
        """How many devices each adapter was connected to or being connected to, at most."""
        self.link_ended: Callable[[str], None] = lambda _: None
        """Told the path of each device whose link has ended."""

        self.object_delay = 0.0
        """Seconds until bluetoothd makes an object anew that it has dropped: up to 5, as seen."""
        self._not_before: dict[str, float] = {}

    @property
    def pending(self) -> list[str]:
        """The paths that BlueZ tries to connect."""
        return sorted(self._pending)

    @property
    def known(self) -> list[str]:
        """The paths of devices that stay known: a temporary one is soon forgotten."""
        return sorted(
            path
            for path in self._tree
            if path not in self._temporary and self._tree.having(path, DEVICE) is not None
        )

    def peripheral(self, path: str) -> Peripheral:
        """Return the device behind a path."""
        return self._peripherals[path.split("/")[4].removeprefix("dev_").replace("_", ":")]

    # Advertising

    async def advertise(self) -> None:
        """Have every device heard at its interval."""
        loop = asyncio.get_running_loop()
        due: dict[str, float] = {}
        while True:
            for peripheral in self._peripherals.values():
                if loop.time() < due.get(peripheral.address, 0.0):
                    continue
                pause = peripheral.radio.interval * random.uniform(0.9, 1.1)
                due[peripheral.address] = loop.time() + pause
                if peripheral.advertising:
                    for adapter in self._adapters.present():
                        if adapter.name in peripheral.radio.rssi:
                            self._hear(adapter, peripheral)
            await asyncio.sleep(TICK)

    def _hear(self, adapter: Adapter, peripheral: Peripheral) -> None:
        """Have an adapter hear one advertisement."""
        path = f"{adapter.path}/dev_{peripheral.address.replace(':', '_')}"
        known = path in self._tree
        listening = bool(adapter.discovering) or self._monitors.match(
            adapter.name, peripheral.advertisement()
        )
        if not listening and not (known and path not in self._temporary):
            return
        if not known and asyncio.get_running_loop().time() < self._not_before.get(path, 0.0):
            return  # the kernel hears it; bluetoothd makes its object later
        rssi = peripheral.rssi_at(adapter.name)
        if not known:
            self._add(path, adapter, peripheral, rssi)
        else:
            self._refresh(path, adapter, peripheral, rssi)
        self._last_heard[path] = asyncio.get_running_loop().time()

    def _add(self, path: str, adapter: Adapter, peripheral: Peripheral, rssi: int) -> None:
        self._temporary.add(path)
        properties = {
            "Address": Variant("s", peripheral.address),
            "AddressType": Variant("s", "public"),
            "Adapter": Variant("o", adapter.path),
            "RSSI": Variant("n", rssi),
            "Connected": Variant("b", False),
            "ServicesResolved": Variant("b", False),
            "Paired": Variant("b", False),
            "Bonded": Variant("b", False),
            "Trusted": Variant("b", False),
            "Blocked": Variant("b", False),
            "LegacyPairing": Variant("b", False),
        }
        self._tree.add(path, {DEVICE: properties | peripheral.properties()})

    def _refresh(self, path: str, adapter: Adapter, peripheral: Peripheral, rssi: int) -> None:
        old = self._tree.value(path, DEVICE, "RSSI")
        if old is None or abs(old - rssi) >= RSSI_THRESHOLD:
            self._tree.update(path, DEVICE, {"RSSI": Variant("n", rssi)})
        properties = peripheral.properties()
        if self._tree.below(path):
            del properties["UUIDs"]  # they name the GATT services now
        self._tree.update(path, DEVICE, properties)
        if adapter.wants_duplicates:
            data = {"ManufacturerData": properties["ManufacturerData"]}
            self._tree.update(path, DEVICE, data, repeat=True)

    async def forget_temporary(self) -> None:
        """Forget devices that were never connected and are no longer heard."""
        while True:
            await asyncio.sleep(1)
            now = asyncio.get_running_loop().time()
            for path in list(self._temporary):
                if now - self._last_heard.get(path, now) > TEMPORARY_TIMEOUT:
                    self._forget(path)

    def _forget(self, path: str) -> None:
        self._temporary.discard(path)
        self._last_heard.pop(path, None)
        self._not_before[path] = asyncio.get_running_loop().time() + self.object_delay
        self._tree.remove(path)

    def _reachable(self, path: str) -> bool:
        return self.peripheral(path).reachable_by(path.split("/")[3])

    # Connections

    async def connect(self, message: Message) -> Answer:
        """Device1.Connect: answered once the link is there; the services follow."""
        path = message.path or ""
        peripheral = self.peripheral(path)
        peripheral.counts["connects"] += 1
        if path in self._pending:
            raise bluez_error("InProgress", "Operation already in progress")
        if self._tree.value(path, DEVICE, "Connected"):
            return "", []
        self._temporary.discard(path)
        pending = Pending(asyncio.get_running_loop().create_future())
        self._pending[path] = pending
        self._count(path.split("/")[3])
        self.serve_pending()
        await pending.reply
        return "", []

    def _count(self, adapter: str) -> None:
        """Note how many connections an adapter has, those that are being made included."""
        links = [item.connected_path for item in self._peripherals.values()]
        mine = f"/org/bluez/{adapter}/"
        now = sum(path is not None and path.startswith(mine) for path in (*self._pending, *links))
        self.most_at_once[adapter] = max(self.most_at_once[adapter], now)

    def serve_pending(self) -> None:
        """Go on with every connect whose device can be reached."""
        for path, pending in list(self._pending.items()):
            if self._reachable(path) and not self._link_tasks.get(path):
                self._link_tasks[path] = [self._spawn(self._establish(path, pending))]

    async def _establish(self, path: str, pending: Pending) -> None:
        """Make a link to a device that can be reached."""
        peripheral = self.peripheral(path)
        await asyncio.sleep(peripheral.radio.connect_time)
        if path not in self._pending:
            return
        if not self._reachable(path):
            self._link_tasks.pop(path, None)
            return
        del self._pending[path]
        if peripheral.faults.has(FaultName.STALE_OBJECT):
            self._link_tasks.pop(path, None)
            self._settle(pending, failed("br-connection-unknown"))  # sic, for LE too
            return
        if peripheral.faults.take(FaultName.REFUSES):
            self._link_tasks.pop(path, None)
            self._settle(pending, failed("le-connection-abort-by-remote"))
            return
        peripheral.connected_path = path
        peripheral.counts["links"] += 1
        self._tree.update(path, DEVICE, {"Connected": Variant("b", True)})
        self._settle(pending, None)
        if drop := peripheral.faults.take(FaultName.DROPS):
            self._link_tasks[path].append(self._spawn(self._drop_later(path, drop.seconds)))
        await self._resolve(path, peripheral)

    @staticmethod
    def _settle(pending: Pending, error: Exception | None) -> None:
        if pending.reply.done():
            return
        if error is None:
            pending.reply.set_result(None)
        else:
            pending.reply.set_exception(error)

    async def _resolve(self, path: str, peripheral: Peripheral) -> None:
        """Find the services; they stay exported after the link has ended (Cache = always)."""
        if peripheral.faults.take(FaultName.NO_SERVICES):
            return
        await asyncio.sleep(peripheral.radio.resolve_time)
        for child, interfaces in gatt.exported(
            path, peripheral.radio.fragment + 3, peripheral.table
        ):
            if child not in self._tree:
                self._tree.add(child, interfaces)
        self._tree.update(
            path, DEVICE, {"UUIDs": Variant("as", gatt.service_uuids(peripheral.table))}
        )
        self._tree.update(path, DEVICE, {"ServicesResolved": Variant("b", True)})

    async def _drop_later(self, path: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._link_tasks.pop(path, None)
        self.end_link(path)

    async def disconnect(self, message: Message) -> Answer:
        """Device1.Disconnect: any client may end any link, and any pending connect."""
        path = message.path or ""
        self._cancel_pending(path)
        if self._tree.value(path, DEVICE, "Connected"):
            await asyncio.sleep(self.peripheral(path).radio.disconnect_time)
            self.end_link(path)
        return "", []

    def _cancel_pending(self, path: str) -> None:
        if (pending := self._pending.pop(path, None)) is not None:
            self._stop_link_tasks(path)
            self._settle(pending, failed("br-connection-canceled"))  # sic, for LE too

    def _stop_link_tasks(self, path: str) -> None:
        for task in self._link_tasks.pop(path, []):
            task.cancel()

    def end_link(self, path: str) -> None:
        """End a link, from whichever side."""
        self._stop_link_tasks(path)
        peripheral = self.peripheral(path)
        if peripheral.connected_path == path:
            peripheral.connected_path = None
        self.link_ended(path)
        self._tree.update(path, DEVICE, {"ServicesResolved": Variant("b", False)})
        self._tree.update(path, DEVICE, {"Connected": Variant("b", False)})
        self.serve_pending()

    async def remove_device(self, message: Message) -> Answer:
        """Adapter1.RemoveDevice."""
        path = message.body[0]
        if self._tree.having(path, DEVICE) is None:
            raise bluez_error("DoesNotExist", "Does Not Exist")
        self._cancel_pending(path)
        self.end_link(path)
        await asyncio.sleep(0.02)
        self._forget(path)
        self.peripheral(path).faults.clear(FaultName.STALE_OBJECT)
        return "", []

    def adapter_gone(self, adapter: str) -> None:
        """Cut the links of an adapter and forget its devices."""
        for path in [path for path in self._tree if self._tree.having(path, DEVICE) is not None]:
            if path.startswith(f"/org/bluez/{adapter}/"):
                self._cancel_pending(path)
                self.end_link(path)
                self._forget(path)

    def reset(self) -> None:
        """Cut all links, forget everything, without a signal."""
        for path, pending in list(self._pending.items()):
            del self._pending[path]
            self._settle(pending, failed("Software caused connection abort"))
        for path in list(self._link_tasks):
            self._stop_link_tasks(path)
        for peripheral in self._peripherals.values():
            if peripheral.connected_path and peripheral.connected_path.startswith("/"):
                self.link_ended(peripheral.connected_path)
                peripheral.connected_path = None
        self._temporary.clear()
        self._last_heard.clear()
