"""All devices of a bridge: started, replaced when the configuration changes, stopped together."""

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
import logging
from pathlib import Path
import secrets
from time import monotonic
from typing import Final

from blupow_ble.bridge_messages import MessageType
from blupow_ble.profiles.declaration import Counter
from blupow_ble.reader.messages import Message
from blupow_ble.supervisor.protocols import LinkEvent

from .clock import LoopClock
from .config import Config, DeviceConfig
from .device import BridgeDevice
from .mqtt.publisher import Publisher
from .push import PushLog
from .radio import Radio
from .store.store import Store
from .store.writer import Row

_LOGGER = logging.getLogger(__name__)

START_SPREAD: Final = 2.0
"""Seconds between the first readings of devices over the radio."""
SAVE_PAUSE: Final = 300.0
IDENTITY_FILE: Final = "bridge_id"


class Hub:
    """Reads all devices, tells the clients, and writes the store."""

    def __init__(self, config: Config) -> None:
        """Prepare. Raises StoreError, OSError."""
        self.config = config
        self.id: Final = _identity(config.data)
        self.started_at: Final = monotonic()
        self.push: Final = PushLog()
        self.radio: Final = Radio()
        self.devices: dict[str, BridgeDevice] = {}
        url = config.store.url
        self.store: Final = Store(
            url=url.get_secret_value() if url else None,
            folder=config.data,
            zone=config.zone,
            counters=self._counters,
            raw_days=config.store.raw_days,
            hourly_days=config.store.hourly_days,
        )
        self.mqtt = self._publisher(config)
        self._clock = LoopClock(config.zone)
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to read all devices; their readings wait until the store is started."""
        await self._serve(self.config.devices)
        if self.mqtt is not None:
            self.mqtt.start()
        self._start_task(self._save_now_and_then(), "save")

    async def stop(self) -> None:
        """Stop; neither a process nor a link is left, and what waits is written or kept."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        try:
            if self.mqtt is not None:
                await self.mqtt.stop()
            async with self._changing:
                stops = (device.stop() for device in self.devices.values())
                for fault in await asyncio.gather(*stops, return_exceptions=True):
                    if isinstance(fault, BaseException):
                        _LOGGER.error("[route] a device could not be stopped", exc_info=fault)
        finally:
            self.push.close()
            await self.radio.stop()
            await self.store.stop()

    async def reload(self, config: Config) -> None:
        """Serve the devices of a new configuration; those that did not change go on undisturbed.

        What needs a restart to take effect is logged.
        """
        fixed = ("data", "http", "store", "time_zone")
        if other := [name for name in fixed if getattr(config, name) != getattr(self.config, name)]:
            _LOGGER.warning("[route] restart the bridge to change %s", ", ".join(other))
        new_broker = (config.mqtt, config.name) != (self.config.mqtt, self.config.name)
        self.config = config
        await self._serve(config.devices)
        if new_broker:
            if self.mqtt is not None:
                await self.mqtt.stop()
            self.mqtt = self._publisher(config)
            if self.mqtt is not None:
                self.mqtt.start()

    async def _serve(self, wanted: tuple[DeviceConfig, ...]) -> None:
        """Start and stop devices until they are those that are wanted, in their order."""
        async with self._changing:
            before = [device.config for device in self.devices.values()]
            by_id = {item.id: item for item in wanted}
            # who asks meanwhile still gets the devices as they were
            ended = {
                device.id: device
                for device in self.devices.values()
                if by_id.get(device.id) != device.config
            }
            await asyncio.gather(*(device.stop() for device in ended.values()))
            new = 0
            devices: dict[str, BridgeDevice] = {}
            for item in wanted:
                device = self.devices.get(item.id)
                if device is None or item.id in ended:
                    device = self._device(item, ended.get(item.id))
                    device.start(0.0 if item.virtual else START_SPREAD * new)
                    new += 0 if item.virtual else 1
                devices[item.id] = device
            self.devices = devices
            if any(not item.virtual for item in wanted):
                self.radio.start()
            else:
                await self.radio.stop()
            if before and list(wanted) != before:
                _LOGGER.info("[route] the configuration has changed: devices now %d", len(wanted))
            self._tell_devices()
            if self.mqtt is not None:
                self.mqtt.devices_changed()

    def _device(self, config: DeviceConfig, before: BridgeDevice | None) -> BridgeDevice:
        return BridgeDevice(
            config,
            radio=self.radio,
            clock=self._clock,
            folder=self.config.data / "devices",
            listener=self,
            before=before,
        )

    def _publisher(self, config: Config) -> Publisher | None:
        """Return what publishes to the broker of a configuration, if it names one."""
        if config.mqtt is None:
            return None
        return Publisher(
            config.mqtt,
            bridge_id=self.id,
            name=config.name,
            devices=lambda: self.devices,
            folder=config.data,
        )

    # What devices tell

    def publish(self, kind: MessageType, message: Message) -> None:
        """Tell the clients."""
        self.push.publish(kind, message)

    def changed(self, device: BridgeDevice) -> None:
        """Publish how a device is."""
        if self.mqtt is not None and self.devices.get(device.id) is device:
            self.mqtt.device_changed(device)

    def happened(self, device: BridgeDevice, event: LinkEvent, facts: Message) -> None:
        """Publish what has happened to a link."""
        if self.mqtt is not None:
            self.mqtt.device_event(device.id, event.value, facts)

    def model_named(self, device: BridgeDevice) -> None:
        """Read a device that has named its model as that model from now on."""
        self._start_task(self._replace(device), f"{device.config.name} model")

    def reading_taken(self, device: BridgeDevice) -> None:
        """Write the units that a fresh reading has brought."""
        supervisor = device.supervisor
        snapshot = supervisor.link.snapshot
        assert snapshot is not None
        at = int(snapshot.taken_at.timestamp() * 1000)
        rows = [
            Row(device.id, unit.key, at, unit.snapshot.values | unit.energies)
            for unit in supervisor.units
            if unit.snapshot is not None
            and unit.snapshot.taken_at_monotonic == snapshot.taken_at_monotonic
        ]
        self.store.add(rows)

    # What follows

    async def _replace(self, device: BridgeDevice) -> None:
        async with self._changing:
            if self.devices.get(device.id) is not device:
                return
            await device.stop()
            new = self._device(device.config, device)
            self.devices[device.id] = new
            new.start()
            self._tell_devices()
            self.changed(new)

    def _tell_devices(self) -> None:
        reports = [device.report for device in self.devices.values()]
        self.push.publish(MessageType.DEVICES, {"devices": reports})

    def _counters(self, device_id: str, unit_key: str) -> Mapping[str, bool]:
        """Return the counters of a unit, with whether they begin anew each day."""
        if (device := self.devices.get(device_id)) is None:
            return {}
        for unit in device.supervisor.units:
            if unit.key == unit_key:
                counters = {
                    field.key: field.counter is Counter.DAILY
                    for field in unit.register_map.fields
                    if field.counter is not None
                }
                return counters | dict.fromkeys((item.key for item in unit.estimates), False)
        return {}

    def _start_task(self, work: Coroutine[None, None, None], name: str) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _save_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SAVE_PAUSE)
            for device in tuple(self.devices.values()):
                await device.save()

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return monotonic() - self.started_at

    @property
    def started(self) -> datetime:
        """When it was started."""
        return datetime.fromtimestamp(datetime.now(UTC).timestamp() - self.uptime, UTC)


def _identity(folder: Path) -> str:
    """Return what this bridge is known by, also after a restart. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / IDENTITY_FILE
    try:
        known = path.read_text().strip()
    except FileNotFoundError:
        known = ""
    if not known:
        known = secrets.token_hex(8)
        path.write_text(known)
    return known
