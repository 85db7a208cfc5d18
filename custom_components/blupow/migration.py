"""Takes over entries that earlier releases have made: devices, entities, their ids and their history."""

from collections.abc import Mapping
import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from homeassistant.config_entries import SOURCE_IGNORE, ConfigSubentry
from homeassistant.const import CONF_ADDRESS, CONF_MODEL, CONF_NAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.device_registry import CONNECTION_BLUETOOTH

from .const import CONF_PROFILE, CONF_UNIT_ID, DOMAIN, SUBENTRY_UNIT
from .device_flow import normalized
from .exceptions import placeholders
from .lib.blupow_ble.profiles import PROFILES, profile_for_name
from .lib.blupow_ble.profiles.controller import CONTROLLER
from .lib.blupow_ble.profiles.inverter import INVERTER
from .lib.blupow_ble.protocol.errors import ReaderError
from .options import CONF_ROUTE, CONF_UPDATE_INTERVAL, number_option
from .pending_device import identify, pending_device_named
from .units import unit_title

if TYPE_CHECKING:
    from .coordinator import BluPowConfigEntry

_LOGGER = logging.getLogger(__name__)

VERSION: Final = 2
MINOR_VERSION: Final = 2

RENAMED: Final[Mapping[str, str]] = {"unit": CONF_UNIT_ID, "path": CONF_ROUTE}
"""Keys of earlier builds, and what they are called today."""

_SAME: Final = ("battery_voltage", "charging_status", "load_current", "model", "device_id")
KEYS_OF_RELEASE_2: Final[Mapping[str, Mapping[str, str]]] = {
    INVERTER.key: {
        **{key: key for key in _SAME},
        "ac_input_voltage": "input_voltage",
        "ac_input_current": "input_current",
        "ac_input_frequency": "input_frequency",
        "ac_output_voltage": "output_voltage",
        "ac_output_current": "output_current",
        "ac_output_frequency": "output_frequency",
        "load_active_power": "load_active_power",
        "load_apparent_power": "load_apparent_power",
        "load_percentage": "load_percentage",
        "battery_soc": "battery_percentage",
        "charging_current": "charging_current",
        "charging_power": "charging_power",
        "line_charging_current": "line_charging_current",
        "solar_voltage": "solar_voltage",
        "solar_current": "solar_current",
        "solar_power": "solar_power",
        "inverter_temperature": "temperature",
    },
    CONTROLLER.key: {
        **{key: key for key in _SAME},
        "pv_voltage": "solar_voltage",
        "pv_current": "solar_current",
        "pv_power": "solar_power",
        "battery_current": "charging_current",
        "battery_soc": "battery_percentage",
        "battery_temperature": "battery_temperature",
        "battery_type": "battery_type",
        "max_charging_power_today": "maximum_charging_power_today",
        "charging_amp_hours_today": "charged_today",
        "discharging_amp_hours_today": "discharged_today",
        "power_generation_today": "solar_energy_today",
        "power_consumption_today": "load_energy_today",
        "power_generation_total": "solar_energy_total",
        "load_voltage": "load_voltage",
        "load_power": "load_power",
        "controller_temperature": "temperature",
    },
}
"""What became of the sensors of release 2, by the family; one that is not here has no successor."""
_TELLING: Final[Mapping[str, tuple[str, ...]]] = {
    INVERTER.key: ("ac_", "inverter_"),
    CONTROLLER.key: ("pv_", "controller_", "power_"),
}
"""What the keys of sensors begin with that only one of the two families had."""


async def async_migrate_entry(hass: HomeAssistant, entry: BluPowConfigEntry) -> bool:
    """Bring an entry of an earlier release to this one's form. One of a later one Home Assistant refuses."""
    if CONF_PROFILE in entry.data:
        _take_over_own(hass, entry)
        return True
    address = normalized(str(entry.data.get(CONF_ADDRESS, "")))
    if address is None:
        # release 3 kept its devices elsewhere; set-up tells the user what to do
        hass.config_entries.async_update_entry(
            entry, version=VERSION, minor_version=MINOR_VERSION, data={}, options={}
        )
        return True
    return await _take_over_release_2(hass, entry, address)


async def _take_over_release_2(hass: HomeAssistant, entry: BluPowConfigEntry, address: str) -> bool:
    """Take over an entry that names an address, as it was typed; return whether it could be done."""
    other = hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, address)
    if other is not None and other.source == SOURCE_IGNORE:
        await hass.config_entries.async_remove(other.entry_id)
    elif other is not None and other is not entry:
        _LOGGER.error(
            "%s has the same address as %s; delete one of the two entries", entry.title, other.title
        )
        return False
    name = str(entry.data.get(CONF_NAME) or entry.title)
    interval = entry.options.get(CONF_UPDATE_INTERVAL)
    options = {}
    if isinstance(interval, int | float):
        allowed = number_option(CONF_UPDATE_INTERVAL)
        options[CONF_UPDATE_INTERVAL] = min(max(int(interval), allowed.low), allowed.high)
    data: dict[str, Any] = {CONF_ADDRESS: address, CONF_NAME: name}
    if (family := _family(hass, entry, address)) is not None:
        data |= {CONF_PROFILE: family, CONF_MODEL: None, CONF_UNIT_ID: None}
        _take_over_entities(hass, entry, address, family)
    _take_over_device(hass, entry, address)
    hass.config_entries.async_update_entry(
        entry,
        version=VERSION,
        minor_version=MINOR_VERSION,
        unique_id=address,
        data=data,
        options=options,
    )
    return True


def _old_keys(
    hass: HomeAssistant, entry: BluPowConfigEntry, address: str
) -> dict[str, er.RegistryEntry]:
    """Return the sensors of release 2, by their keys."""
    prefix = f"{_bare(address)}_"
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {
        item.unique_id.removeprefix(prefix): item
        for item in entities
        if item.unique_id.startswith(prefix)
    }


def _bare(address: str) -> str:
    return address.replace(":", "").lower()


def _family(hass: HomeAssistant, entry: BluPowConfigEntry, address: str) -> str | None:
    """Return the family that an entry's sensors tell, else its name; None: it must be asked.

    An entry without a name is of an early release 3, whose sensors were the same for every device.
    """
    if CONF_NAME not in entry.data:
        return None
    keys = _old_keys(hass, entry, address)
    for family, beginnings in _TELLING.items():
        if any(key.startswith(beginnings) for key in keys):
            return family
    profile = profile_for_name(str(entry.data.get(CONF_NAME, "")))
    return profile.key if profile is not None else None


@callback
def _take_over_entities(
    hass: HomeAssistant, entry: BluPowConfigEntry, address: str, family: str
) -> None:
    """Give the sensors of release 2 the ids of their successors; the user's settings stay.

    History and statistics go by the entity id, which does not change.
    """
    registry = er.async_get(hass)
    successors = KEYS_OF_RELEASE_2.get(family, {})
    for key, item in _old_keys(hass, entry, address).items():
        if (successor := successors.get(key)) is None:
            _LOGGER.info("%s has no successor in this release and is removed", item.entity_id)
            registry.async_remove(item.entity_id)
        else:
            registry.async_update_entity(item.entity_id, new_unique_id=f"{address}_{successor}")


@callback
def _take_over_device(hass: HomeAssistant, entry: BluPowConfigEntry, address: str) -> None:
    """Give the device of release 2 this one's identifier; its name and area stay."""
    registry = dr.async_get(hass)
    for identifier in (str(entry.data[CONF_ADDRESS]), _bare(address)):
        device = registry.async_get_device_by_identifier((DOMAIN, identifier), entry.entry_id)
        if device is not None:
            registry.async_update_device(
                device.id,
                new_identifiers={(DOMAIN, address)},
                new_connections={(CONNECTION_BLUETOOTH, address)},
            )
            return


async def async_ask_family(hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
    """Ask a device of release 2 what it is, where nothing else tells. Raises ConfigEntryNotReady."""
    address, name = entry.data[CONF_ADDRESS], entry.data[CONF_NAME]
    try:
        found = await identify(hass, pending_device_named(address, name))
    except ReaderError as err:
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN,
            translation_key=err.code,
            translation_placeholders=placeholders(err, entry.title),
        ) from err
    assert found.profile is not None
    _take_over_entities(hass, entry, address, found.profile.key)
    model = found.model or (found.profile.other_model if found.profile.must_know_model else None)
    found_out = {
        CONF_PROFILE: found.profile.key,
        CONF_MODEL: model.key if model else None,
        CONF_UNIT_ID: found.unit_id,
    }
    hass.config_entries.async_update_entry(entry, data={**entry.data, **found_out})


@callback
def _take_over_own(hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
    """Give what an entry of an earlier build of this release holds its names of today."""
    for subentry in entry.subentries.values():
        hass.config_entries.async_update_subentry(entry, subentry, data=_renamed(subentry.data))
    entities = er.async_get(hass)
    base = entry.unique_id or entry.entry_id
    for item in er.async_entries_for_config_entry(entities, entry.entry_id):
        if item.unique_id == f"{base}_path":
            entities.async_update_entity(item.entity_id, new_unique_id=f"{base}_{CONF_ROUTE}")
    hass.config_entries.async_update_entry(
        entry,
        version=VERSION,
        minor_version=MINOR_VERSION,
        data=_renamed(_move_units_to_subentries(hass, entry)),
        options=_renamed(entry.options),
    )


def _renamed(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return data or options under their keys of today."""
    return {RENAMED.get(key, key): value for key, value in stored.items()}


@callback
def _move_units_to_subentries(hass: HomeAssistant, entry: BluPowConfigEntry) -> dict[str, Any]:
    """Make subentries of the units that an entry's data listed; return the data without them."""
    data = dict(entry.data)
    entities, devices = er.async_get(hass), dr.async_get(hass)
    base = entry.unique_id or entry.entry_id
    for unit in data.pop("more_units", ()):
        facts = _renamed(unit)
        key = facts.pop("key")
        if key in {subentry.unique_id for subentry in entry.subentries.values()}:
            continue  # an earlier attempt has added it
        subentry = ConfigSubentry(
            subentry_type=SUBENTRY_UNIT,
            title=unit_title(PROFILES[facts[CONF_PROFILE]], facts[CONF_UNIT_ID]),
            unique_id=key,
            data=MappingProxyType(facts),
        )
        hass.config_entries.async_add_subentry(entry, subentry)
        identifier = (DOMAIN, f"{base}_unit_{key}")
        device = devices.async_get_device_by_identifier(identifier, entry.entry_id)
        if device is None:
            continue
        for item in er.async_entries_for_device(
            entities, device.id, include_disabled_entities=True
        ):
            entities.async_update_entity(item.entity_id, config_subentry_id=subentry.subentry_id)
        devices.async_update_device(device.id, new_config_subentry_id=subentry.subentry_id)
    return data
