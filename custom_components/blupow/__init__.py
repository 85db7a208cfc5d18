"""Renogy power devices over Bluetooth LE."""

from homeassistant.core import HomeAssistant, callback

from .const import PLATFORMS
from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .device import complete_device
from .snapshot import forget


async def async_setup_entry(hass: HomeAssistant, entry: BluPowConfigEntry) -> bool:
    """Set up a device.

    A device out of reach is no reason to fail: its diagnostic entities say what is wrong, and it is
    read as soon as it is heard.
    """
    coordinator = BluPowCoordinator(hass, entry)
    entry.runtime_data = coordinator
    await coordinator.async_start()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    known = dict(coordinator.identity)

    @callback
    def update_device() -> None:
        """Complete the device once it has said what it is."""
        nonlocal known
        if coordinator.identity != known:
            known = dict(coordinator.identity)
            complete_device(hass, coordinator)

    entry.async_on_unload(coordinator.async_add_listener(update_device))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: BluPowConfigEntry) -> bool:
    """Unload a device; nothing of it is left running."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        await entry.runtime_data.async_shutdown()
        entry.runtime_data.remember()
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
    """Forget a device that is removed."""
    forget(hass, entry.entry_id)
