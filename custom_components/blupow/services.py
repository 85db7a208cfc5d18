"""The actions: reconnect, tell how the link is, read registers for support, the days that are kept."""

from enum import StrEnum
import time
from typing import Any, Final

import probatio

from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_register_admin_service

from .const import DOMAIN
from .coordinator import BluPowCoordinator
from .exceptions import failure, message_of
from .history import async_read_history
from .lib.blupow_ble.profiles.declaration import LONGEST_SPAN, Span
from .lib.blupow_ble.protocol.errors import ReaderError
from .service_targets import ATTR_CONFIG_ENTRY_ID, async_check_permission, async_link, async_unit
from .setting_services import async_setup_setting_actions

ATTR_START: Final = "start"
ATTR_COUNT: Final = "count"

SHOWN_ERRORS: Final = 5


class Action(StrEnum):
    """The actions' names."""

    FORCE_RECONNECT = "force_reconnect"
    HEALTH_CHECK = "health_check"
    READ_REGISTERS = "read_registers"
    GET_HISTORY = "get_history"


LINK_SCHEMA: Final = probatio.Schema(
    {
        probatio.Required(ATTR_CONFIG_ENTRY_ID): cv.string,
        probatio.Optional(ATTR_DEVICE_ID): cv.string,
    }
)
UNIT_SCHEMA: Final = probatio.Schema({probatio.Required(ATTR_DEVICE_ID): cv.string})
REGISTERS_SCHEMA: Final = UNIT_SCHEMA.extend(
    {
        probatio.Required(ATTR_START): probatio.All(
            probatio.Coerce(int), probatio.Range(min=0, max=0xFFFF)
        ),
        probatio.Required(ATTR_COUNT): probatio.All(
            probatio.Coerce(int), probatio.Range(min=1, max=LONGEST_SPAN)
        ),
    }
)


@callback
def async_setup_actions(hass: HomeAssistant) -> None:
    """Register the actions."""
    hass.services.async_register(
        DOMAIN,
        Action.FORCE_RECONNECT,
        _force_reconnect,
        LINK_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )
    hass.services.async_register(
        DOMAIN,
        Action.HEALTH_CHECK,
        _health_check,
        LINK_SCHEMA,
        supports_response=SupportsResponse.ONLY,
    )
    async_register_admin_service(
        hass,
        DOMAIN,
        Action.READ_REGISTERS,
        _read_registers,
        REGISTERS_SCHEMA,
        supports_response=SupportsResponse.ONLY,
    )
    hass.services.async_register(
        DOMAIN,
        Action.GET_HISTORY,
        _get_history,
        UNIT_SCHEMA,
        supports_response=SupportsResponse.ONLY,
    )
    async_setup_setting_actions(hass)


async def _force_reconnect(call: ServiceCall) -> ServiceResponse:
    """Reconnect, and tell how long it took. Raises HomeAssistantError with the cause."""
    coordinator = async_link(call)
    await async_check_permission(call, coordinator, POLICY_CONTROL)
    try:
        recovery = await coordinator.reconnect()
    except ReaderError as err:
        raise failure(err, coordinator.name) from err
    return {
        "seconds": round(recovery.seconds, 1),
        "step": recovery.step,
    }


async def _health_check(call: ServiceCall) -> ServiceResponse:
    """Tell how the link is, and what to do; nothing is asked of the device."""
    coordinator = async_link(call)
    link = coordinator.supervisor.link
    snapshot, share = link.snapshot, link.availability.share(time.monotonic())
    errors = [poll for poll in link.polls if poll.error is not None][-SHOWN_ERRORS:]
    return {
        "name": coordinator.name,
        "status": coordinator.supervisor.health.status.value,
        "problem": link.last_error.code.value if link.last_error else None,
        "what_to_do": message_of(link.last_error, coordinator.name) if link.last_error else None,
        "last_reading": snapshot.taken_at.isoformat() if snapshot else None,
        "data_age": None
        if coordinator.supervisor.health.age is None
        else round(coordinator.supervisor.health.age),
        "consecutive_failures": link.failures,
        "connect_timeout": coordinator.supervisor.connect_timeout,
        "route": _route(coordinator),
        "scanners": list(coordinator.scanner_report()),
        "signal_strength": coordinator.rssi,
        "success_rate": _rounded(link.success_rate),
        "partial_polls": link.partial_polls,
        "missing_blocks": list(link.announced_partial),
        "availability": None if share is None else _rounded(100 * share),
        "last_duration": _rounded(link.last_duration),
        "average_duration": _rounded(link.average_duration),
        "last_errors": [
            {
                "at": poll.at.isoformat(),
                "code": poll.error.code.value,
                "message": poll.error.message,
            }
            for poll in errors
            if poll.error is not None
        ],
        "recovery": coordinator.supervisor.watchdog.report(),
    }


def _route(coordinator: BluPowCoordinator) -> dict[str, Any] | None:
    """Return the route of the last fresh reading."""
    if (snapshot := coordinator.supervisor.link.snapshot) is None:
        return None
    route = snapshot.route
    return {
        "kind": route.kind.value,
        "reason": route.reason,
        "scanner": route.source,
        "adapter": route.device.adapter,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


async def _read_registers(call: ServiceCall) -> ServiceResponse:
    """Read registers by number, for administrators. Raises HomeAssistantError with the cause."""
    coordinator, unit = async_unit(call)
    try:
        span = Span(start=call.data[ATTR_START], words=call.data[ATTR_COUNT])
    except ValueError as err:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="no_such_registers"
        ) from err
    if unit.profile.push is not None:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="no_registers",
            translation_placeholders={"name": coordinator.name},
        )
    try:
        reading = await coordinator.supervisor.read_registers((span,), unit)
    except ReaderError as err:
        raise failure(err, coordinator.name) from err
    words = reading.registers[span.start]
    return {
        "unit_id": reading.unit_id,
        "start": span.start,
        "words": list(words),
        "hex": " ".join(f"{word:04X}" for word in words),
    }


async def _get_history(call: ServiceCall) -> ServiceResponse:
    """Read the days that a device keeps. Raises HomeAssistantError with the cause."""
    coordinator, unit = async_unit(call)
    await async_check_permission(call, coordinator, POLICY_CONTROL)
    history = unit.profile.history_of(unit.model)
    if history is None:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="no_history",
            translation_placeholders={"name": coordinator.name},
        )
    try:
        days = await async_read_history(coordinator, unit, history)
    except ReaderError as err:
        raise failure(err, coordinator.name) from err
    return {
        "days": [
            {"date": day.date.isoformat(), "days_ago": day.days_ago, **day.values} for day in days
        ],
        "units": {field.key: field.unit_of_measurement.value for field in history.fields},
    }
