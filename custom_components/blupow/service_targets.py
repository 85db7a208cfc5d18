"""What an action is for: an entry's link, or one of its units, and whether the user may."""

from typing import Final

from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import ServiceValidationError, Unauthorized, UnknownUser
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.service import async_get_config_entry

from .const import DOMAIN
from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .device import is_of_link, unit_of_device
from .lib.blupow_ble.supervisor.unit_state import UnitState

ATTR_CONFIG_ENTRY_ID: Final = "config_entry_id"


def async_link(call: ServiceCall) -> BluPowCoordinator:
    """Return the link that an action is for: of a bridge that of a device. Raises ServiceValidationError."""
    entry: BluPowConfigEntry = async_get_config_entry(
        call.hass, DOMAIN, call.data[ATTR_CONFIG_ENTRY_ID]
    )
    coordinators, device_id = entry.runtime_data.coordinators, call.data.get(ATTR_DEVICE_ID)
    if device_id is None:
        if len(coordinators) == 1:
            return coordinators[0]
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="which_device",
            translation_placeholders={"name": entry.title},
        )
    coordinator, _ = _of_device(call.hass, device_id)
    return coordinator


async def async_check_permission(
    call: ServiceCall, coordinator: BluPowCoordinator, policy: str
) -> None:
    """Raise Unauthorized where the user may not do that with the entities of a link."""
    if call.context.user_id is None:
        return
    user = await call.hass.auth.async_get_user(call.context.user_id)
    if user is None:
        raise UnknownUser(context=call.context)
    entry = coordinator.config_entry
    entities = er.async_entries_for_config_entry(er.async_get(call.hass), entry.entry_id)
    for entity in entities:
        if not user.permissions.check_entity(entity.entity_id, policy):
            raise Unauthorized(context=call.context, permission=policy)


def async_unit(call: ServiceCall) -> tuple[BluPowCoordinator, UnitState]:
    """Return the unit that an action is for, and its link. Raises ServiceValidationError."""
    coordinator, unit = _of_device(call.hass, call.data[ATTR_DEVICE_ID])
    if unit is None:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="not_a_unit",
            translation_placeholders={"name": coordinator.name},
        )
    return coordinator, unit


def _of_device(hass: HomeAssistant, device_id: str) -> tuple[BluPowCoordinator, UnitState | None]:
    """Return the link of a device, and its unit if it is one. Raises ServiceValidationError."""
    registry = dr.async_get(hass)
    for entry in hass.config_entries.async_entries(DOMAIN):
        for device in dr.async_entries_for_config_entry(registry, entry.entry_id):
            if device.id != device_id:
                continue
            loaded: BluPowConfigEntry = async_get_config_entry(hass, DOMAIN, entry.entry_id)
            for coordinator in loaded.runtime_data.coordinators:
                if is_of_link(coordinator, device):
                    return coordinator, unit_of_device(coordinator, device)
    raise ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="no_such_device",
        translation_placeholders={"device_id": device_id},
    )
