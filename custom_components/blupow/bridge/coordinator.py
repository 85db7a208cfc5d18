"""Shows Home Assistant a device that a bridge reads."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, override

from homeassistant.core import HomeAssistant, callback

from ..coordinator import BluPowConfigEntry, BluPowCoordinator, LinkSetup
from ..lib.blupow_ble.bridge_messages import (
    DeviceDescription,
    DeviceReport,
    MessageType,
    Push,
    RemoteReading,
    RemoteState,
)
from ..lib.blupow_ble.connection_log import Topic
from ..lib.blupow_ble.reader.result import Finding, UnitReading
from ..lib.blupow_ble.supervisor.policies import RecoveryStep
from ..lib.blupow_ble.supervisor.protocols import LinkEvent
from ..lib.blupow_ble.supervisor.unit_state import UnitState
from ..lib.blupow_ble.supervisor.watchdog import Recovery
from ..options import EntryOptions
from .client import BridgeError
from .connection import BridgeConnection
from .reader import LATE_INTERVALS, BridgeReader, unreachable


def bridge_options(entry: BluPowConfigEntry, device: DeviceDescription) -> EntryOptions:
    """Return the options of a device: some are the bridge's, the others the entry's."""
    options = EntryOptions.from_options(entry.options)
    return replace(
        options,
        update_interval=LATE_INTERVALS * device.update_interval,
        may_be_off=device.may_be_off,
        allow_changes=options.allow_changes and device.allow_changes,
    )


class BridgeCoordinator(BluPowCoordinator):
    """Takes what the bridge pushes of one device, and asks for it when nothing comes."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: BluPowConfigEntry,
        bridge: BridgeConnection,
        device: DeviceDescription,
    ) -> None:
        """Prepare to show a device of a bridge."""
        self._bridge = bridge
        self._device = device
        self._state: RemoteState | None = None
        self._reader = BridgeReader(bridge.client, device, entry.title)
        link = LinkSetup(
            key=device_key(entry.entry_id, device.id),
            base_id=base_id_of(bridge.id, device),
            name=device.name,
            device_name=device.name,
            address=device.address,
            options=bridge_options(entry, device),
            units=[unit.state() for unit in device.units],
        )
        super().__init__(hass, entry, link, reader=self._reader, remedies=None, remote=True)

    @property
    @override
    def rssi(self) -> int | None:
        """Signal strength at the bridge; None where it does not hear the device."""
        return None if self._state is None else self._state.rssi

    @override
    def scanner_report(self) -> list[dict[str, Any]]:
        """Return nothing: the scanners are the bridge's."""
        return []

    @callback
    @override
    def async_start(self) -> None:
        """Begin: the bridge pushes all that it knows as soon as it is connected."""
        self._bridge.devices[self._device.id] = self
        self.supervisor.start(self.supervisor.pause)

    @override
    async def reconnect(self) -> Recovery:
        """Have the bridge reconnect now, by all steps of a recovery. Raises ReaderError."""
        self._bridge.retry()
        try:
            answer = await self._bridge.client.have_done(self._device.id, "reconnect", {})
        except BridgeError as err:
            raise unreachable(err) from err
        step = answer.get("step")
        return Recovery(
            worked=True,
            step=RecoveryStep(step) if step in tuple(RecoveryStep) else None,
            seconds=float(answer.get("seconds", 0.0)),
        )

    # What the bridge tells

    @callback
    def reported(self, report: DeviceReport) -> None:
        """Take how the device is, after the connection was made."""
        self._take_state(report.state)
        reading, failure = report.reading, report.failure
        if reading is not None:
            self._take(reading)
        if failure is not None and (reading is None or failure.age <= reading.reading.age):
            self.supervisor.note_failure(failure.error, failure.seconds, failure.age)
        self.async_update_listeners()

    @callback
    def pushed(self, push: Push) -> None:
        """Take what has happened to the device."""
        if push.state is not None:
            self._take_state(push.state)
        if push.reading is not None:
            self._take(push.reading)
        elif push.failure is not None:
            failure = push.failure
            self.supervisor.note_failure(failure.error, failure.seconds, failure.age)
        elif push.type is MessageType.EVENT and push.event == LinkEvent.RECOVERY:
            # a loss and its end are told by what is seen here
            self.event(
                LinkEvent.RECOVERY, {"silence": 0, "step": None, "trigger": "", **push.facts}
            )
        else:
            self.async_update_listeners()

    @callback
    def bridge_lost(self) -> None:
        """Ask for the device once: it may be reached all the same, or the user sees why not."""
        self.supervisor.start_task(self.supervisor.poll())

    @callback
    def bridge_back(self) -> None:
        """Ask for the device where a poll has failed meanwhile: there may be nothing new to push."""
        if self.supervisor.link.failures:
            self.supervisor.start_task(self.supervisor.poll())

    def _take_state(self, state: RemoteState) -> None:
        self._state = state
        link = self.supervisor.link
        link.recoveries, link.failed_recoveries = state.recoveries, state.failed_recoveries

    def _take(self, reading: RemoteReading) -> None:
        if reading.id == self._reader.last_id and not self.supervisor.link.failures:
            return
        if self._reader.polled:
            self._reader.polled = False
            self.supervisor.link.log.info(Topic.PUSH, "readings are pushed again")
        self.supervisor.take(self._reader.taken(reading), reading.reading, reading.seconds)

    # What concerns the bridge alone

    @callback
    @override
    def unit_read(self, unit: UnitState, reading: UnitReading) -> None:
        """Do nothing: the bridge remembers what its units say of themselves."""

    @callback
    @override
    def units_found(self, found: Sequence[Finding]) -> None:
        """Do nothing: units are added in the configuration of the bridge, which tells of them."""


def device_key(entry_id: str, device_id: str) -> str:
    """Return the key that what is stored of a device goes by."""
    return f"{entry_id}_{device_id}"


def base_id_of(bridge_id: str, device: DeviceDescription) -> str:
    """Return what all ids of a device begin with: the same as if Home Assistant itself read it."""
    return f"{bridge_id}_{device.id}" if device.virtual else device.address
