"""Changes that a user or an automation asks for: of settings, and of what the schedule is to do."""

from collections.abc import Mapping, Sequence
from typing import Any

from homeassistant.core import callback

from .coordinator import BluPowCoordinator
from .exceptions import change_failure, schedule_failure, setting_failure
from .lib.blupow_ble.profiles.setting import SettingValue
from .lib.blupow_ble.profiles.setting_rules import Reason, SettingRefused
from .lib.blupow_ble.protocol.errors import ReaderError
from .lib.blupow_ble.reader.plan import Change
from .lib.blupow_ble.reader.result import SettingReport
from .lib.blupow_ble.supervisor.unit_state import UnitState


async def async_change_settings(
    coordinator: BluPowCoordinator, unit: UnitState, values: Mapping[str, SettingValue]
) -> tuple[SettingReport, ...]:
    """Change settings of a unit; return what came of each. Raises HomeAssistantError where nobody could say."""
    changes = [Change(key, value) for key, value in values.items()]
    try:
        report = await coordinator.supervisor.write(unit, changes)
    except ReaderError as err:
        raise change_failure(err, coordinator.name) from err
    return report.settings


@callback
def raise_unless_changed(
    coordinator: BluPowCoordinator, unit: UnitState, reports: Sequence[SettingReport]
) -> None:
    """Raise HomeAssistantError for what was not changed: the cause, not what followed from it."""
    failed = [report for report in reports if not report.outcome.done]
    failed.sort(key=lambda report: report.reason is Reason.EARLIER_FAILED)
    if failed:
        raise setting_failure(coordinator.hass, coordinator.name, unit, failed[0])


async def async_set_schedule(
    coordinator: BluPowCoordinator, unit: UnitState, **wanted: Any
) -> None:
    """Change what the user wants of a schedule. Raises HomeAssistantError for what cannot be."""
    try:
        await coordinator.supervisor.scheduler.set(unit, **wanted)
    except SettingRefused as err:
        raise schedule_failure(coordinator.hass, coordinator.name, err) from err
    coordinator.async_update_listeners()
