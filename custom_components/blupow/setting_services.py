"""The actions that change settings: several at once, and one each for the common ones."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
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
from homeassistant.helpers.translation import async_get_exception_message
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .coordinator import BluPowCoordinator
from .exceptions import setting_text
from .lib.blupow_ble.profiles.setting import OFF, ON, Setting, SettingKind, SettingValue
from .lib.blupow_ble.reader.result import SettingReport
from .lib.blupow_ble.supervisor.schedule import MINIMUM_SOC, carried_out_by
from .lib.blupow_ble.supervisor.scheduler import BATTERY_PERCENTAGE
from .lib.blupow_ble.supervisor.unit_state import UnitState
from .service_targets import async_check_permission, async_unit
from .setting_changes import async_change_settings, async_set_schedule, raise_unless_changed
from .texts import setting_name

DAY: Final = 24 * 60
"""Minutes."""
UPDATE_SETTINGS: Final = "update_settings"
ATTR_SETTINGS: Final = "settings"


@dataclass(frozen=True, slots=True)
class SettingAction:
    """An action that changes one setting."""

    name: str
    field: str
    keys: tuple[str, ...]
    """The settings it may be, the first that the unit has; one that is confirmed comes before others."""
    schema: Callable[[Any], Any]
    scheduled: str | None = None
    """Where the device has none of them, what of BluPow's own schedule it is."""


def _time(value: Any) -> str:
    """Return a time of day in whole minutes."""
    parsed: time = cv.time(value)
    return parsed.strftime("%H:%M")


def _time_action(key: str) -> SettingAction:
    return SettingAction(f"set_{key}", "time", (key,), _time, key)


_AMPERES: Final = probatio.All(probatio.Coerce(float), probatio.Range(min=0, max=200))
_PERCENT: Final = probatio.All(probatio.Coerce(int), probatio.Range(min=0, max=100))

SETTING_ACTIONS: Final = (
    SettingAction(
        "set_charge_current", "current", ("charge_current", "ac_charge_current"), _AMPERES
    ),
    SettingAction("set_ac_input_limit", "current", ("ac_input_limit",), _AMPERES),
    SettingAction("set_output_priority", "priority", ("output_priority",), cv.string),
    SettingAction("set_load", "on", ("load", "ac_output"), cv.boolean),
    SettingAction("set_minimum_soc", "percentage", ("minimum_soc",), _PERCENT, "minimum_soc"),
    _time_action("charge_start_time"),
    _time_action("charge_end_time"),
    _time_action("discharge_start_time"),
    _time_action("discharge_end_time"),
)
UPDATE_SCHEMA: Final = probatio.Schema(
    {
        probatio.Required(ATTR_DEVICE_ID): cv.string,
        probatio.Required(ATTR_SETTINGS): probatio.All(
            {cv.string: probatio.Any(bool, int, float, str)}, probatio.Length(min=1)
        ),
    }
)


@callback
def async_setup_setting_actions(hass: HomeAssistant) -> None:
    """Register the actions."""
    hass.services.async_register(
        DOMAIN,
        UPDATE_SETTINGS,
        _update_settings,
        UPDATE_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )
    for action in SETTING_ACTIONS:
        hass.services.async_register(
            DOMAIN,
            action.name,
            _handler(action),
            probatio.Schema(
                {
                    probatio.Required(ATTR_DEVICE_ID): cv.string,
                    probatio.Required(action.field): action.schema,
                }
            ),
        )


async def _target(call: ServiceCall) -> tuple[BluPowCoordinator, UnitState]:
    """Return the unit to change. Raises where there is none, or it must not be changed."""
    coordinator, unit = async_unit(call)
    await async_check_permission(call, coordinator, POLICY_CONTROL)
    if not coordinator.options.allow_changes:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="changes_not_allowed",
            translation_placeholders={"name": coordinator.name},
        )
    return coordinator, unit


async def _update_settings(call: ServiceCall) -> ServiceResponse:
    """Change several settings over one connection, and report of each.

    With a response the report tells what was not changed; without one the first such is raised.
    """
    coordinator, unit = await _target(call)
    values = {
        key: _of_its_kind(unit.register_map.controls.setting(key), value)
        for key, value in call.data[ATTR_SETTINGS].items()
    }
    reports = await async_change_settings(coordinator, unit, values)
    if not call.return_response:
        raise_unless_changed(coordinator, unit, reports)
        return None
    return {
        ATTR_SETTINGS: {
            report.key: {
                "outcome": report.outcome.value,
                "before": report.before,
                "now": report.now,
                "reason": _reason(call.hass, coordinator, unit, report),
            }
            for report in reports
        }
    }


def _of_its_kind(setting: Setting | None, value: SettingValue) -> SettingValue:
    """Return a value as the setting has it: YAML may have read on as true, and 23:00 as 1380."""
    kind = None if setting is None else setting.kind
    if kind is SettingKind.SWITCH and value in (ON, OFF):
        return value == ON
    if kind is SettingKind.CHOICE and isinstance(value, bool):
        return ON if value else OFF
    if kind is SettingKind.TIME and type(value) is int and 0 <= value < DAY:
        return f"{value // 60:02}:{value % 60:02}"
    if kind is SettingKind.TIME and isinstance(value, str):
        parsed = dt_util.parse_time(value)
        return value if parsed is None else parsed.strftime("%H:%M")
    return value


def _reason(
    hass: HomeAssistant, coordinator: BluPowCoordinator, unit: UnitState, report: SettingReport
) -> str | None:
    """Return why a setting was not changed, as a sentence for people."""
    if report.reason is None:
        return None
    key, facts = setting_text(hass, unit, report)
    return async_get_exception_message(DOMAIN, key, facts | {"name": coordinator.name})


def _handler(action: SettingAction) -> Callable[[ServiceCall], Any]:
    """Return what carries out an action on one setting."""

    async def handle(call: ServiceCall) -> None:
        coordinator, unit = await _target(call)
        value = call.data[action.field]
        if (key := _key_of(unit, action)) is not None:
            reports = await async_change_settings(coordinator, unit, {key: value})
            raise_unless_changed(coordinator, unit, reports)
        elif action.scheduled and _schedules(unit, action.scheduled):
            wanted = time.fromisoformat(value) if isinstance(value, str) else value
            await async_set_schedule(coordinator, unit, **{action.scheduled: wanted})
        else:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="setting_unknown_setting",
                translation_placeholders={
                    "name": coordinator.name,
                    "setting": setting_name(call.hass, action.keys[0]),
                },
            )

    return handle


def _schedules(unit: UnitState, field: str) -> bool:
    """Whether BluPow carries out a schedule for a unit, and knows what this part of it needs."""
    knows_soc = any(item.key == BATTERY_PERCENTAGE for item in unit.register_map.fields)
    return bool(carried_out_by(unit.register_map.controls)) and (field != MINIMUM_SOC or knows_soc)


def _key_of(unit: UnitState, action: SettingAction) -> str | None:
    """Return the setting that an action changes; None where the unit has none of them."""
    found = [setting for key in action.keys for setting in unit.controls if setting.key == key]
    found.sort(key=lambda setting: not unit.evidence(setting).confirmed)
    return found[0].key if found else None
