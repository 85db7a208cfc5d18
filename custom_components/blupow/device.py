"""The device as Home Assistant's registry shows it."""

from homeassistant.const import CONF_NAME
from homeassistant.helpers.device_registry import CONNECTION_BLUETOOTH, DeviceInfo

from .const import DOMAIN, MANUFACTURER
from .coordinator import BluPowCoordinator
from .lib.blupow_ble.profiles.declaration import About


def device_info(coordinator: BluPowCoordinator) -> DeviceInfo:
    """Return what is known about the device; more is known once it has been read."""
    entry = coordinator.config_entry
    model = coordinator.model.key if coordinator.model else None
    return DeviceInfo(
        identifiers={(DOMAIN, entry.unique_id or entry.entry_id)},
        connections=set() if coordinator.virtual else {(CONNECTION_BLUETOOTH, coordinator.address)},
        name=entry.data.get(CONF_NAME, entry.title),
        manufacturer=MANUFACTURER,
        model=_about(coordinator, About.MODEL) or model,
        serial_number=_about(coordinator, About.SERIAL_NUMBER),
        sw_version=_about(coordinator, About.VERSION),
    )


def _about(coordinator: BluPowCoordinator, about: About) -> str | None:
    """Return what the device said about itself."""
    for field in coordinator.register_map.fields:
        if field.about is about and (value := coordinator.identity.get(field.key)):
            return str(value)
    return None
