"""Renogy power devices over Bluetooth LE."""

import logging

from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryChange
from homeassistant.const import CONF_ADDRESS, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.typing import ConfigType

from .const import CONF_PROFILE, DOMAIN, EARLY_PLATFORMS, PLATFORMS
from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .device import complete_devices, register_module, remove_stale_devices
from .entry_store import EntryStore, keep, take_kept
from .history import HistoryImport
from .issues import Issues, forget_earlier_release, remember_all_ignored, tell_of_earlier_release
from .log_file import close_log_file, open_log_file
from .migration import async_ask_family, async_migrate_entry
from .services import async_setup_actions
from .stale_entities import remove_stale_entities
from .texts import async_load_texts
from .unit_offers import withdraw_offers

_LOGGER = logging.getLogger(__name__)

__all__ = ["async_migrate_entry"]

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Set up what all devices share: the actions, and the texts."""
    await async_load_texts(hass)
    async_setup_actions(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: BluPowConfigEntry) -> bool:
    """Set up a device.

    A device out of reach is no reason to fail: its diagnostic entities say what is wrong, and it is
    read as soon as it is heard.
    """
    if CONF_ADDRESS not in entry.data:
        tell_of_earlier_release(hass, entry)
        _LOGGER.warning("%s was made by an earlier release and names no device", entry.title)
        return False
    if CONF_PROFILE not in entry.data:
        await async_ask_family(hass, entry)
    coordinator = BluPowCoordinator(hass, entry)
    entry.runtime_data = coordinator
    if coordinator.options.log_file:
        coordinator.supervisor.link.log.file = await open_log_file(hass)

    async def stop(_: Event) -> None:
        """Leave no child behind when Home Assistant stops, and keep what is known."""
        await coordinator.async_shutdown()
        await coordinator.save()

    entry.async_on_unload(hass.bus.async_listen(EVENT_HOMEASSISTANT_STOP, stop))
    entry.async_on_unload(reload_with_other_units(hass, entry))
    await coordinator.store.load(coordinator.supervisor.link)
    register_module(hass, coordinator)
    await hass.config_entries.async_forward_entry_setups(entry, EARLY_PLATFORMS)
    coordinator.async_start()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    remove_stale_devices(hass, coordinator)
    remove_stale_entities(hass, coordinator)
    known = [dict(unit.identity) for unit in coordinator.supervisor.units]

    @callback
    def update_device() -> None:
        """Complete the devices once they have said what they are."""
        nonlocal known
        if (identities := [dict(unit.identity) for unit in coordinator.supervisor.units]) != known:
            known = identities
            complete_devices(hass, coordinator)

    entry.async_on_unload(coordinator.async_add_listener(update_device))

    @callback
    def save() -> None:
        """Keep what is known."""
        coordinator.store.save_soon(coordinator.supervisor.link)

    entry.async_on_unload(coordinator.async_add_listener(save))
    withdraw_offers(hass, entry)
    issues = Issues(hass, entry)
    entry.async_on_unload(issues.clear)
    entry.async_on_unload(coordinator.async_add_listener(issues.update))
    entry.async_on_unload(HistoryImport(hass, coordinator).start())
    issues.update()
    return True


@callback
def reload_with_other_units(hass: HomeAssistant, entry: BluPowConfigEntry) -> CALLBACK_TYPE:
    """Load an entry again when units were added or removed; Home Assistant does not do it by itself."""
    known = set(entry.subentries)
    reloading = False

    @callback
    def on_change(_: ConfigEntryChange, changed: ConfigEntry) -> None:
        nonlocal reloading
        if changed.entry_id != entry.entry_id or set(changed.subentries) == known or reloading:
            return
        reloading = True  # several may be added at once
        reload = hass.config_entries.async_reload(entry.entry_id)
        hass.async_create_task(reload, f"{entry.title} other units", eager_start=False)

    return async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, on_change)


async def async_unload_entry(hass: HomeAssistant, entry: BluPowConfigEntry) -> bool:
    """Unload a device; nothing of it is left running."""
    unloaded = await hass.config_entries.async_unload_platforms(
        entry, [*EARLY_PLATFORMS, *PLATFORMS]
    )
    if unloaded:
        coordinator = entry.runtime_data
        await coordinator.async_shutdown()
        link = coordinator.supervisor.link
        remember_all_ignored(hass, entry)
        await coordinator.save()
        keep(hass, entry.entry_id, link)
        if link.log.file is not None:
            link.log.file = None
            await close_log_file(hass)
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
    """Forget a device that is removed."""
    take_kept(hass, entry.entry_id)
    forget_earlier_release(hass, entry)
    withdraw_offers(hass, entry)
    await EntryStore(hass, entry.entry_id).remove()
