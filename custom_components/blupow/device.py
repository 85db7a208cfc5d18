"""The device as Home Assistant's registry shows it."""

from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import CONNECTION_BLUETOOTH, DeviceInfo

from .const import DOMAIN, MANUFACTURER
from .coordinator import BluPowCoordinator
from .lib.blupow_ble.profiles.declaration import About


def device_info(coordinator: BluPowCoordinator) -> DeviceInfo:
    """Return what is known about the device; more is known once it has been read."""
    entry = coordinator.config_entry
    return DeviceInfo(
        identifiers={(DOMAIN, entry.unique_id or entry.entry_id)},
        connections=set() if coordinator.virtual else {(CONNECTION_BLUETOOTH, coordinator.address)},
        name=entry.data.get(CONF_NAME, entry.title),
        manufacturer=MANUFACTURER,
        model=_model(coordinator),
        serial_number=_about(coordinator, About.SERIAL_NUMBER),
        sw_version=_about(coordinator, About.VERSION),
    )


@callback
def complete_device(hass: HomeAssistant, coordinator: BluPowCoordinator) -> None:
    """Show what the device has said about itself since its entities were added."""
    registry = dr.async_get(hass)
    entry_id = coordinator.config_entry.entry_id
    for device in dr.async_entries_for_config_entry(registry, entry_id):
        registry.async_update_device(
            device.id,
            model=_model(coordinator),
            serial_number=_about(coordinator, About.SERIAL_NUMBER),
            sw_version=_about(coordinator, About.VERSION),
        )


def _model(coordinator: BluPowCoordinator) -> str | None:
    """Return the model as the device names it, else as it was set up."""
    known = coordinator.model.key if coordinator.model else None
    return _about(coordinator, About.MODEL) or known


def _about(coordinator: BluPowCoordinator, about: About) -> str | None:
    """Return what the device said about itself."""
    for field in coordinator.register_map.fields:
        if field.about is about and (value := coordinator.link.identity.get(field.key)):
            return str(value)
    return None
