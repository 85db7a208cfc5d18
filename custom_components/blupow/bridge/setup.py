"""Sets up the entry of a bridge: its connection, and a coordinator for each of its devices."""

import logging

from homeassistant.const import (
    CONF_DEVICES,
    CONF_HOST,
    CONF_PORT,
    CONF_SSL,
    CONF_TOKEN,
    CONF_VERIFY_SSL,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..const import DOMAIN
from ..coordinator import BluPowConfigEntry, BluPowData
from ..issues import IssueKind, issue_id_of
from ..lib.blupow_ble.bridge_messages import (
    BridgeInfo,
    DeviceDescription,
    DeviceReport,
    device_message,
    parse_device,
)
from ..lib.blupow_ble.reader.messages import MALFORMED, Message
from ..lib.blupow_ble.text import plain
from .client import BridgeAddress, BridgeClient, NewerBridge
from .connection import BridgeConnection
from .coordinator import BridgeCoordinator, device_key

_LOGGER = logging.getLogger(__name__)


def address_of(entry: BluPowConfigEntry) -> BridgeAddress:
    """Return where the bridge of an entry is."""
    data = entry.data
    return BridgeAddress(
        host=data[CONF_HOST],
        port=data[CONF_PORT],
        tls=data[CONF_SSL],
        verify=data[CONF_VERIFY_SSL],
        token=data[CONF_TOKEN],
    )


@callback
def bridge_data(hass: HomeAssistant, entry: BluPowConfigEntry) -> BluPowData:
    """Return what runs for a bridge: its connection, and the devices that it had last."""
    assert entry.unique_id is not None
    bridge = BridgeConnection(
        BridgeClient(async_get_clientsession(hass), address_of(entry)),
        bridge_id=entry.unique_id,
        name=entry.title,
        listener=BridgeEntry(hass, entry),
        start_task=lambda work, name: entry.async_create_background_task(hass, work, name),
    )
    elsewhere = addresses_read_here(hass)
    coordinators = []
    for device in known_devices(entry):
        twice = device.address in elsewhere
        _show_read_twice(hass, entry, device, shown=twice)
        if not twice:
            coordinators.append(BridgeCoordinator(hass, entry, bridge, device))
    devices = entry.data.get(CONF_DEVICES, [])
    return BluPowData(tuple(coordinators), bridge, whole=len(known_devices(entry)) == len(devices))


@callback
def known_devices(entry: BluPowConfigEntry) -> list[DeviceDescription]:
    """Return the devices that the bridge had last; one that this release does not know is left out."""
    known: list[DeviceDescription] = []
    for message in entry.data.get(CONF_DEVICES, []):
        try:
            known.append(parse_device(message))
        except MALFORMED as err:
            _LOGGER.warning("[push] %s: a device is not understood: %r", entry.title, err)
    return known


@callback
def bridge_keys(entry: BluPowConfigEntry) -> list[str]:
    """Return the keys of all that is stored of a bridge's devices."""
    return [device_key(entry.entry_id, device.id) for device in known_devices(entry)]


@callback
def addresses_read_here(hass: HomeAssistant) -> set[str]:
    """Return the addresses of the devices that Home Assistant itself reads."""
    return {
        entry.unique_id
        for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False)
        if entry.unique_id is not None and CONF_HOST not in entry.data
    }


@callback
def addresses_read_by_bridges(hass: HomeAssistant) -> set[str]:
    """Return the addresses of the devices that bridges read."""
    return {
        device.address
        for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False)
        if CONF_HOST in entry.data
        for device in known_devices(entry)
    }


def _id(device: Message) -> str:
    return str(device.get("id"))


class BridgeEntry:
    """Does what concerns the entry of a bridge as a whole."""

    def __init__(self, hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
        """Work for an entry."""
        self._hass = hass
        self._entry = entry

    @callback
    def devices_listed(
        self, reports: tuple[DeviceReport, ...], not_understood: tuple[str, ...]
    ) -> None:
        """Store which devices the bridge has; when they are others, the entry is loaded again.

        One that is not understood stays as it was known.
        """
        stored: list[Message] = self._entry.data.get(CONF_DEVICES, [])
        devices: list[Message] = [device_message(report.device) for report in reports]
        devices += [device for device in stored if device.get("id") in not_understood]
        if sorted(devices, key=_id) == sorted(stored, key=_id):
            return
        before = {device.id for device in known_devices(self._entry)}
        gone = before - {device["id"] for device in devices}
        for device in known_devices(self._entry):
            if device.id in gone:
                _show_read_twice(self._hass, self._entry, device, shown=False)
        data = {**self._entry.data, CONF_DEVICES: devices}
        self._hass.config_entries.async_update_entry(self._entry, data=data)
        self._hass.config_entries.async_schedule_reload(self._entry.entry_id)

    @callback
    def bridge_found(self, info: BridgeInfo) -> None:
        """Show the release of the bridge."""
        registry = dr.async_get(self._hass)
        device = registry.async_get_device_by_identifier((DOMAIN, info.id), self._entry.entry_id)
        if device is not None and device.sw_version != info.version:
            registry.async_update_device(device.id, sw_version=info.version)

    @callback
    def token_refused(self) -> None:
        """Ask the user for the token that is good now."""
        self._entry.async_start_reauth(self._hass)

    @callback
    def bridge_newer(self, err: NewerBridge | None) -> None:
        """Tell the user that the bridge is of a newer release; None: it is not."""
        kind = IssueKind.BRIDGE_NEWER
        issue_id = issue_id_of(kind, self._entry.entry_id)
        if err is None:
            ir.async_delete_issue(self._hass, DOMAIN, issue_id)
            return
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            issue_id,
            data={"kind": kind.value, "entry_id": self._entry.entry_id},
            is_fixable=False,
            severity=ir.IssueSeverity.ERROR,
            translation_key=kind.value,
            translation_placeholders={"name": plain(self._entry.title), "detail": str(err)},
        )


@callback
def _show_read_twice(
    hass: HomeAssistant, entry: BluPowConfigEntry, device: DeviceDescription, *, shown: bool
) -> None:
    """Offer to move a device to the bridge, while Home Assistant itself still reads it."""
    kind = IssueKind.READ_TWICE
    issue_id = issue_id_of(kind, device_key(entry.entry_id, device.id))
    if not shown:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        data={"kind": kind.value, "entry_id": entry.entry_id, "address": device.address},
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=kind.value,
        translation_placeholders={"name": plain(device.name), "bridge": plain(entry.title)},
    )
