"""Renogy power devices over Bluetooth LE."""

import logging

from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryChange
from homeassistant.const import CONF_ADDRESS, CONF_HOST, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.typing import ConfigType

from .bluetooth_coordinator import BluetoothCoordinator
from .bridge.setup import bridge_data, bridge_keys
from .const import CONF_PROFILE, DOMAIN, EARLY_PLATFORMS, PLATFORMS
from .coordinator import BluPowConfigEntry, BluPowCoordinator, BluPowData
from .device import complete_devices, register_bridge, register_module, remove_stale_devices
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
    """Set up a device, or a bridge with its devices.

    What is out of reach is no reason to fail: its diagnostic entities say what is wrong, and it is
    read as soon as it is there.
    """
    if CONF_HOST in entry.data:
        data = bridge_data(hass, entry)
    elif CONF_ADDRESS in entry.data:
        if CONF_PROFILE not in entry.data:
            await async_ask_family(hass, entry)
        data = BluPowData((BluetoothCoordinator(hass, entry),))
    else:
        tell_of_earlier_release(hass, entry)
        _LOGGER.warning("%s was made by an earlier release and names no device", entry.title)
        return False
    entry.runtime_data = data
    for coordinator in data.coordinators:
        if coordinator.options.log_file:
            coordinator.supervisor.link.log.file = await open_log_file(hass)

    async def stop(_: Event) -> None:
        """Leave no child behind when Home Assistant stops, and keep what is known."""
        await _stop(data)
        for coordinator in data.coordinators:
            await coordinator.save()

    entry.async_on_unload(hass.bus.async_listen(EVENT_HOMEASSISTANT_STOP, stop))
    entry.async_on_unload(reload_with_other_units(hass, entry))
    if data.bridge is not None:
        register_bridge(hass, entry, data.bridge)
    for coordinator in data.coordinators:
        await coordinator.store.load(coordinator.supervisor.link)
        register_module(hass, coordinator)
    await hass.config_entries.async_forward_entry_setups(entry, EARLY_PLATFORMS)
    for coordinator in data.coordinators:
        coordinator.async_start()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    if data.whole:
        remove_stale_devices(hass, entry)
        remove_stale_entities(hass, entry)
    withdraw_offers(hass, entry)
    for coordinator in data.coordinators:
        _attend(hass, entry, coordinator)
    if data.bridge is not None:
        data.bridge.start()
    return True


async def _stop(data: BluPowData) -> None:
    """Stop everything that runs for an entry."""
    if data.bridge is not None:
        await data.bridge.stop()
    for coordinator in data.coordinators:
        await coordinator.async_shutdown()


@callback
def _attend(hass: HomeAssistant, entry: BluPowConfigEntry, coordinator: BluPowCoordinator) -> None:
    """Do what follows each update of a link: complete its devices, keep what is known, show repairs."""
    supervisor = coordinator.supervisor
    known = [dict(unit.identity) for unit in supervisor.units]
    issues = Issues(hass, coordinator)

    @callback
    def updated() -> None:
        nonlocal known
        if (identities := [dict(unit.identity) for unit in supervisor.units]) != known:
            known = identities
            complete_devices(hass, coordinator)
        coordinator.store.save_soon(supervisor.link)
        issues.update()

    entry.async_on_unload(coordinator.async_add_listener(updated))
    entry.async_on_unload(issues.clear)
    entry.async_on_unload(HistoryImport(hass, coordinator).start())
    issues.update()


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
        await _stop(entry.runtime_data)
        for coordinator in entry.runtime_data.coordinators:
            link = coordinator.supervisor.link
            remember_all_ignored(hass, coordinator)
            await coordinator.save()
            keep(hass, coordinator.key, link)
            if link.log.file is not None:
                link.log.file = None
                await close_log_file(hass)
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
    """Forget a device that is removed."""
    forget_earlier_release(hass, entry)
    withdraw_offers(hass, entry)
    keys = bridge_keys(entry) if CONF_HOST in entry.data else [entry.entry_id]
    for key in keys:
        take_kept(hass, key)
        await EntryStore(hass, key).remove()
