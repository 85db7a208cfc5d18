"""Renogy power devices over Bluetooth LE."""

from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .actions import async_setup_actions
from .const import DOMAIN, PLATFORMS
from .coordinator import BluPowCoordinator
from .device import complete_device
from .issues import Issues
from .link_state import forget, keep
from .log_file import close_log_file, open_log_file
from .runtime import BluPowConfigEntry, BluPowRuntime
from .watchdog import Watchdog

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Set up the actions, for all devices."""
    async_setup_actions(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: BluPowConfigEntry) -> bool:
    """Set up a device.

    A device out of reach is no reason to fail: its diagnostic entities say what is wrong, and it is
    read as soon as it is heard.
    """
    coordinator = BluPowCoordinator(hass, entry)
    runtime = entry.runtime_data = BluPowRuntime(coordinator, Watchdog(hass, coordinator))
    if coordinator.settings.log_file:
        coordinator.link.journal.file = await open_log_file(hass)

    async def stop(_: Event) -> None:
        """Leave no child behind when Home Assistant stops."""
        await runtime.stop()

    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, stop))
    await coordinator.async_start()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    known = dict(coordinator.link.identity)

    @callback
    def update_device() -> None:
        """Complete the device once it has said what it is."""
        nonlocal known
        if coordinator.link.identity != known:
            known = dict(coordinator.link.identity)
            complete_device(hass, coordinator)

    entry.async_on_unload(coordinator.async_add_listener(update_device))
    issues = Issues(hass, entry)
    entry.async_on_unload(issues.clear)
    entry.async_on_unload(coordinator.async_add_listener(issues.update))
    runtime.watchdog.start()
    issues.update()
    return True


async def async_unload_entry(hass: HomeAssistant, entry: BluPowConfigEntry) -> bool:
    """Unload a device; nothing of it is left running."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        runtime = entry.runtime_data
        await runtime.stop()
        link = runtime.coordinator.link
        keep(hass, entry.entry_id, link)
        if link.journal.file is not None:
            link.journal.file = None
            await close_log_file(hass)
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
    """Forget a device that is removed."""
    forget(hass, entry.entry_id)
