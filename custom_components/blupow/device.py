"""The devices as Home Assistant's registry shows them: the module, and each unit behind it."""

from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import CONNECTION_BLUETOOTH, DeviceInfo

from .bridge.connection import BridgeConnection
from .const import DOMAIN, MANUFACTURER
from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .lib.blupow_ble.profiles.declaration import Info
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .texts import text
from .units import unit_name

MODULE: Final = "Bluetooth module"
BRIDGE: Final = "Bridge"


def link_identifier(coordinator: BluPowCoordinator) -> tuple[str, str]:
    """Return what the device registry knows the link by."""
    return (DOMAIN, coordinator.base_id)


def link_device(coordinator: BluPowCoordinator) -> DeviceInfo:
    """Return what the link leads to: the device itself, or the module that several units share."""
    shared = len(coordinator.supervisor.units) > 1
    identity = (
        DeviceInfo(model=MODULE, serial_number=None, sw_version=None, hw_version=None)
        if shared
        else _identity(coordinator, coordinator.supervisor.own)
    )
    found = DeviceInfo(
        identifiers={link_identifier(coordinator)},
        connections=set() if coordinator.virtual else {(CONNECTION_BLUETOOTH, coordinator.address)},
        name=coordinator.device_name,
        manufacturer=MANUFACTURER,
    )
    if (bridge := coordinator.config_entry.runtime_data.bridge) is not None:
        found["via_device_id"] = dr.async_get_device_id_by_identifier(
            coordinator.hass,
            (DOMAIN, bridge.id),
            config_entry_id=coordinator.config_entry.entry_id,
        )
    return found | identity


def unit_device(coordinator: BluPowCoordinator, unit: UnitState) -> DeviceInfo:
    """Return what is known about a unit; more is known once it has been read."""
    if len(coordinator.supervisor.units) == 1:
        return link_device(coordinator)
    return DeviceInfo(
        identifiers={_identifier(coordinator, unit)},
        via_device_id=dr.async_get_device_id_by_identifier(
            coordinator.hass,
            link_identifier(coordinator),
            config_entry_id=coordinator.config_entry.entry_id,
        ),
        name=unit_name(coordinator.device_name, unit),
        manufacturer=MANUFACTURER,
    ) | _identity(coordinator, unit)


@callback
def register_bridge(
    hass: HomeAssistant, entry: BluPowConfigEntry, bridge: BridgeConnection
) -> None:
    """Register a bridge, before its devices are connected via it."""
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, bridge.id)},
        name=entry.title,
        manufacturer="BluPow",
        model=BRIDGE,
        sw_version=bridge.version,
        configuration_url=bridge.url,
        entry_type=dr.DeviceEntryType.SERVICE,
    )


@callback
def register_module(hass: HomeAssistant, coordinator: BluPowCoordinator) -> None:
    """Register the module that several units share, before these are connected via it."""
    if len(coordinator.supervisor.units) > 1:
        dr.async_get(hass).async_get_or_create(
            config_entry_id=coordinator.config_entry.entry_id, **link_device(coordinator)
        )


def unit_of_device(
    coordinator: BluPowCoordinator, device: dr.DeviceEntry | dr.ChildDeviceEntry
) -> UnitState | None:
    """Return the unit that a device is; None for a module that several share."""
    if (
        len(coordinator.supervisor.units) == 1
        and link_identifier(coordinator) in device.identifiers
    ):
        return coordinator.supervisor.own
    for unit in coordinator.supervisor.units:
        if _identifier(coordinator, unit) in device.identifiers:
            return unit
    return None


def is_of_link(
    coordinator: BluPowCoordinator, device: dr.DeviceEntry | dr.ChildDeviceEntry
) -> bool:
    """Whether a device is what a link leads to, or a unit behind it."""
    return (
        link_identifier(coordinator) in device.identifiers
        or unit_of_device(coordinator, device) is not None
    )


@callback
def remove_stale_devices(hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
    """Remove devices and units that the entry no longer has."""
    data, known = entry.runtime_data, set[tuple[str, str]]()
    if data.bridge is not None:
        known.add((DOMAIN, data.bridge.id))
    for coordinator in data.coordinators:
        known.add(link_identifier(coordinator))
        if len(coordinator.supervisor.units) > 1:
            known |= {_identifier(coordinator, unit) for unit in coordinator.supervisor.units}
    registry = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(registry, entry.entry_id):
        if not known & device.identifiers:
            registry.async_remove_device(device.id)


@callback
def complete_devices(hass: HomeAssistant, coordinator: BluPowCoordinator) -> None:
    """Show what the units have said about themselves since their entities were added."""
    registry = dr.async_get(hass)
    entry_id = coordinator.config_entry.entry_id
    for device in dr.async_entries_for_config_entry(registry, entry_id):
        if (unit := unit_of_device(coordinator, device)) is not None:
            identity = _identity(coordinator, unit)
            registry.async_update_device(
                device.id,
                model=identity["model"],
                serial_number=identity["serial_number"],
                sw_version=identity["sw_version"],
                hw_version=identity["hw_version"],
            )


def _identifier(coordinator: BluPowCoordinator, unit: UnitState) -> tuple[str, str]:
    return (DOMAIN, f"{coordinator.base_id}_unit_{unit.key or 'own'}")


def _identity(coordinator: BluPowCoordinator, unit: UnitState) -> DeviceInfo:
    """Return what a unit has said about itself."""
    return DeviceInfo(
        model=_model(coordinator.hass, unit),
        serial_number=unit.info(Info.SERIAL_NUMBER),
        sw_version=unit.info(Info.VERSION),
        hw_version=unit.info(Info.HARDWARE_VERSION),
    )


def _model(hass: HomeAssistant, unit: UnitState) -> str | None:
    """Return the model as the unit names it, else as it was set up; one in no list is unconfirmed."""
    known, named = unit.model, unit.info(Info.MODEL)
    if known is not None and known is unit.profile.other_model:
        return text(hass, "unconfirmed_model", model=named or unit.profile.name)
    return named or (known.key if known else None)
