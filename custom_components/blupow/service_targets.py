"""What an action is for: an entry's link, or one of its units, and whether the user may."""

from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import ServiceValidationError, Unauthorized, UnknownUser
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.service import async_get_config_entry

from .const import DOMAIN
from .coordinator import BluPowConfigEntry, BluPowCoordinator
from .device import unit_of_device
from .lib.blupow_ble.supervisor.unit_state import UnitState


def async_coordinator(hass: HomeAssistant, entry_id: str) -> BluPowCoordinator:
    """Return the link of an entry. Raises ServiceValidationError."""
    entry: BluPowConfigEntry = async_get_config_entry(hass, DOMAIN, entry_id)
    return entry.runtime_data


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
    device_id = call.data[ATTR_DEVICE_ID]
    registry = dr.async_get(call.hass)
    for entry in call.hass.config_entries.async_entries(DOMAIN):
        for device in dr.async_entries_for_config_entry(registry, entry.entry_id):
            if device.id != device_id:
                continue
            coordinator = async_coordinator(call.hass, entry.entry_id)
            if (unit := unit_of_device(coordinator, device)) is not None:
                return coordinator, unit
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="not_a_unit",
                translation_placeholders={"name": coordinator.name},
            )
    raise ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="no_such_device",
        translation_placeholders={"device_id": device_id},
    )
