"""Controls: what the user may change, what is confirmed, and what an automation is told."""

from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.blupow.const import DOMAIN
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualDevice
from custom_components.blupow.lib.blupow_ble.virtual.writes import Habit
from homeassistant.const import EntityCategory
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.setup import async_setup_component

from .helpers.families import FAMILIES, RIV4835
from .helpers.scripted import Script
from .helpers.timeline import pass_time, set_up

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")


async def start(hass: HomeAssistant, script: Script, name: str, **options: Any) -> VirtualDevice:
    """Set a device up; return what is behind its module."""
    family = RIV4835 if name == "riv4835" else FAMILIES[name]
    script.device = family.device()
    assert isinstance(script.device, VirtualDevice)
    await set_up(hass, family.entry(), **{"allow_changes": True} | options)
    return script.device


def entity_of(hass: HomeAssistant, platform: str, key: str) -> str:
    """Return the entity of a setting."""
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    found = er.async_get(hass).async_get_entity_id(
        platform, DOMAIN, f"{entry.unique_id}_setting_{key}"
    )
    assert found is not None, key
    return found


def state_of(hass: HomeAssistant, platform: str, key: str) -> str:
    """Return the state of a setting's entity."""
    state = hass.states.get(entity_of(hass, platform, key))
    assert state is not None
    return state.state


async def change(hass: HomeAssistant, platform: str, key: str, action: str, **data: Any) -> None:
    """Change a setting as a user does."""
    target = {"entity_id": entity_of(hass, platform, key)}
    await hass.services.async_call(platform, action, target | data, blocking=True)


async def act(hass: HomeAssistant, action: str, **data: Any) -> dict[str, Any] | None:
    """Call an action for the device."""
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return await hass.services.async_call(
        DOMAIN,
        action,
        {"device_id": device.id, **data},
        blocking=True,
        return_response=action == "update_settings",
    )


async def test_nothing_is_offered_unless_it_is_allowed(hass: HomeAssistant, script: Script) -> None:
    """Neither entities nor requests; the actions say what to do. Switched off again, all is gone."""
    device = await start(hass, script, "riv4835", allow_changes=False)
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    controls = {"number", "select", "switch", "time"}
    assert not controls & {state.domain for state in hass.states.async_all()}
    assert script.plans[0].units[0].spans == ()
    with pytest.raises(ServiceValidationError, match="Allow changes"):
        await act(hass, "set_output_priority", priority="grid_first")
    assert script.write_plans == []
    hass.config_entries.async_update_entry(entry, options={"allow_changes": True})
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, "number", "ac_charge_current") == "10.0"
    hass.config_entries.async_update_entry(entry, options={"allow_changes": False})
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    registry = er.async_get(hass)
    left = er.async_entries_for_config_entry(registry, entry.entry_id)
    assert not controls & {item.domain for item in left}
    assert device.writes.seen == []


async def test_a_number(hass: HomeAssistant, script: Script) -> None:
    """It shows what was read, takes what is allowed, and shows what was read back."""
    device = await start(hass, script, "riv4835")
    state = hass.states.get(entity_of(hass, "number", "ac_charge_current"))
    assert state is not None
    assert state.state == "10.0"
    assert state.attributes["min"] == 0
    assert state.attributes["max"] == 40
    assert state.attributes["step"] == 5
    assert state.attributes["unit_of_measurement"] == "A"
    assert state.attributes["device_class"] == "current"
    assert state.attributes["evidence"] == "hardware"
    await change(hass, "number", "ac_charge_current", "set_value", value=25)
    assert state_of(hass, "number", "ac_charge_current") == "25.0"
    assert device.writes.seen == [(0xE205, (250,))]
    with pytest.raises(ServiceValidationError):
        await change(hass, "number", "ac_charge_current", "set_value", value=41)
    with pytest.raises(ServiceValidationError, match="steps of 5"):
        await change(hass, "number", "ac_charge_current", "set_value", value=12)
    assert len(device.writes.seen) == 1


async def test_a_select_and_a_switch(hass: HomeAssistant, script: Script) -> None:
    """They do likewise."""
    device = await start(hass, script, "riv4835")
    assert state_of(hass, "select", "output_priority") == "solar_first"
    await change(hass, "select", "output_priority", "select_option", option="grid_first")
    assert state_of(hass, "select", "output_priority") == "grid_first"
    device = await start_again(hass, script, "controller")
    assert state_of(hass, "switch", "load") == "on"
    await change(hass, "switch", "load", "turn_off")
    assert state_of(hass, "switch", "load") == "off"
    await change(hass, "switch", "load", "turn_on")
    assert state_of(hass, "switch", "load") == "on"
    assert device.writes.seen == [(0x010A, (0,)), (0x010A, (1,))]


async def start_again(hass: HomeAssistant, script: Script, name: str) -> VirtualDevice:
    """Remove what is set up, and set up another device."""
    for entry in hass.config_entries.async_entries(DOMAIN):
        await hass.config_entries.async_remove(entry.entry_id)
    return await start(hass, script, name)


async def test_times_that_the_device_keeps(hass: HomeAssistant, script: Script) -> None:
    """Of a SRNE the windows and the minimum are the device's own, and no schedule of BluPow's is offered."""
    device = await start(hass, script, "srne")
    assert state_of(hass, "time", "charge_start_time") == "00:00:00"
    await change(hass, "time", "charge_end_time", "set_value", time="06:30:00")
    assert state_of(hass, "time", "charge_end_time") == "06:30:00"
    await act(hass, "set_charge_start_time", time="00:00:00")
    assert state_of(hass, "time", "charge_start_time") == "00:01:00"
    await change(hass, "switch", "charge_window", "turn_on")
    assert state_of(hass, "switch", "charge_window") == "on"
    await act(hass, "set_minimum_soc", percentage=30)
    assert state_of(hass, "number", "minimum_soc") == "30.0"
    assert [register for register, _ in device.writes.seen] == [0xE026, 0xE026, 0xE026, 0xE01F]
    registry = er.async_get(hass)
    assert not [item for item in registry.entities if item.endswith("_schedule")]


@pytest.mark.parametrize(
    ("habit", "text"),
    [
        (Habit.FORGETS, "did not keep 25 for AC charge current. It is 10 now"),
        (Habit.REFUSES, r"refused to change AC charge current: the device could not carry it out"),
    ],
)
async def test_a_change_that_is_not_confirmed(
    hass: HomeAssistant, script: Script, habit: Habit, text: str
) -> None:
    """It is an error in words, and the entity shows what is."""
    device = await start(hass, script, "riv4835")
    device.writes.habit = habit
    with pytest.raises(HomeAssistantError, match=text):
        await change(hass, "number", "ac_charge_current", "set_value", value=25)
    assert state_of(hass, "number", "ac_charge_current") == "10.0"
    assert len(device.writes.seen) == 1


async def test_a_load_that_its_mode_holds(hass: HomeAssistant, script: Script) -> None:
    """The mode is named as the reason."""
    device = await start(hass, script, "controller")
    device.writes.habit = Habit.FORGETS
    with pytest.raises(HomeAssistantError, match="second or third try"):
        await change(hass, "switch", "load", "turn_off")
    device.overrides[0xE01D] = 17
    with pytest.raises(HomeAssistantError, match="Check Load mode"):
        await change(hass, "switch", "load", "turn_off")
    assert state_of(hass, "switch", "load") == "on"


async def test_voltages_need_the_right_battery_type(hass: HomeAssistant, script: Script) -> None:
    """The error says which; several settings go together."""
    device = await start(hass, script, "controller")
    with pytest.raises(ServiceValidationError, match="only while Battery type is: User-defined"):
        await act_plain(hass, {"boost_voltage": 14.2})
    answer = await act(
        hass, "update_settings", settings={"boost_voltage": 14.2, "battery_type": "user"}
    )
    assert answer == {
        "settings": {
            "boost_voltage": {
                "outcome": "written",
                "before": 14.4,
                "now": 14.2,
                "reason": None,
            },
            "battery_type": {
                "outcome": "written",
                "before": "lithium",
                "now": "user",
                "reason": None,
            },
        }
    }
    assert device.writes.seen == [(0xE004, (0,)), (0xE008, (142,))]
    answer = await act(
        hass, "update_settings", settings={"boost_voltage": 13.0, "over_discharge_delay": 10}
    )
    assert answer is not None
    assert answer["settings"]["boost_voltage"]["outcome"] == "refused"
    assert "must stay above Float voltage" in answer["settings"]["boost_voltage"]["reason"]
    assert "was not sent" in answer["settings"]["over_discharge_delay"]["reason"]


async def act_plain(hass: HomeAssistant, settings: dict[str, Any]) -> None:
    """Update settings as an automation does, without a response."""
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    await hass.services.async_call(
        DOMAIN,
        "update_settings",
        {"device_id": device.id, "settings": settings},
        blocking=True,
    )


@pytest.mark.parametrize(
    ("family", "action", "data", "register", "word"),
    [
        ("riv4835", "set_charge_current", {"current": 20}, 0xE205, 200),
        ("inverter", "set_charge_current", {"current": 50}, 4422, 500),
        ("inverter", "set_ac_input_limit", {"current": 16}, 4456, 160),
        ("riv4835", "set_output_priority", {"priority": "battery_first"}, 4441, 2),
        ("controller", "set_load", {"on": False}, 0x010A, 0),
        ("dcdc", "set_charge_current", {"current": 20}, 0xE001, 2000),
    ],
)
async def test_actions(
    hass: HomeAssistant,
    script: Script,
    family: str,
    action: str,
    data: dict[str, Any],
    register: int,
    word: int,
) -> None:
    """Each changes the setting that the device has for it."""
    device = await start(hass, script, family)
    await act(hass, action, **data)
    assert device.writes.seen == [(register, (word,))]


async def test_actions_for_what_the_device_does_not_have(
    hass: HomeAssistant, script: Script
) -> None:
    """The error names the setting."""
    await start(hass, script, "controller")
    with pytest.raises(ServiceValidationError, match="no setting AC input limit"):
        await act(hass, "set_ac_input_limit", current=10)
    with pytest.raises(ServiceValidationError, match="no setting Minimum state of charge"):
        await act(hass, "set_minimum_soc", percentage=10)
    with pytest.raises(ServiceValidationError, match="no setting no_such_thing"):
        await act_plain(hass, {"no_such_thing": 10})
    with pytest.raises(ServiceValidationError, match="must be true or false"):
        await act_plain(hass, {"load": 3})
    with pytest.raises(ServiceValidationError, match="must be one of: user, flooded"):
        await act_plain(hass, {"battery_type": "vinegar"})


async def test_values_as_yaml_has_them(hass: HomeAssistant, script: Script) -> None:
    """On and off, and a time with seconds."""
    await start(hass, script, "srne")
    answer = await act(
        hass, "update_settings", settings={"charge_window": "on", "charge_end_time": "06:30:00"}
    )
    assert answer is not None
    assert {key: item["now"] for key, item in answer["settings"].items()} == {
        "charge_window": True,
        "charge_end_time": "06:30",
    }
    await act_plain(hass, {"charge_end_time": 23 * 60})  # as YAML reads 23:00
    assert state_of(hass, "time", "charge_end_time") == "23:00:00"
    with pytest.raises(ServiceValidationError, match=r"a time such as 06:30"):
        await act_plain(hass, {"charge_end_time": "noon"})
    with pytest.raises(ServiceValidationError, match="must be a number"):
        await act_plain(hass, {"low_soc_alarm": float("nan")})
    script.error = ErrorCode.CONNECT_FAILED
    with pytest.raises(HomeAssistantError, match="connection failed"):
        await act(hass, "set_minimum_soc", percentage=20)
    script.error = None
    await start_again(hass, script, "riv4835")
    answer = await act(hass, "update_settings", settings={"power_saving": True})
    assert answer is not None
    assert answer["settings"]["power_saving"]["now"] == "on"


async def test_diagnostics(
    hass: HomeAssistant, script: Script, hass_client: ClientSessionGenerator
) -> None:
    """They hold what the device is set to, what was sent today, and the schedule."""
    assert await async_setup_component(hass, "diagnostics", {})
    await start(hass, script, "riv4835")
    await change(hass, "number", "ac_charge_current", "set_value", value=25)
    await change(hass, "switch", "charge_window", "turn_on")
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    found = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    (unit,) = found["units"]
    assert unit["settings"]["ac_charge_current"] == 25
    assert unit["settings"]["output_priority"] == "solar_first"
    assert unit["sent_today"] == {"ac_charge_current": 1}
    assert unit["schedule"]["mode"] == "none"
    assert unit["schedule"]["schedule"]["charge_window"] is True


async def test_who_may_not_control_the_device(
    hass: HomeAssistant, script: Script, hass_read_only_user: Any
) -> None:
    """Home Assistant's permission decides."""
    device = await start(hass, script, "riv4835")
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    (found,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    with pytest.raises(Unauthorized):
        await hass.services.async_call(
            DOMAIN,
            "set_output_priority",
            {"device_id": found.id, "priority": "grid_first"},
            blocking=True,
            context=Context(user_id=hass_read_only_user.id),
        )
    assert device.writes.seen == []


async def test_what_is_only_documented_is_not_shown_at_once(
    hass: HomeAssistant, script: Script
) -> None:
    """The user has to enable it."""
    await start(hass, script, "riv4835")
    registry = er.async_get(hass)
    shown = registry.async_get(entity_of(hass, "number", "ac_charge_current"))
    hidden = registry.async_get(entity_of(hass, "number", "boost_voltage"))
    assert shown is not None
    assert hidden is not None
    assert (shown.disabled, hidden.disabled) == (False, True)
    assert shown.entity_category is hidden.entity_category is EntityCategory.CONFIG


async def test_a_device_that_is_away(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Nothing is written; after the grace nothing is shown either."""
    device = await start(hass, script, "riv4835")
    script.error = ErrorCode.CONNECT_TIMEOUT
    with pytest.raises(HomeAssistantError, match="no connection was made in time"):
        await change(hass, "number", "ac_charge_current", "set_value", value=25)
    assert state_of(hass, "number", "ac_charge_current") == "10.0"  # nothing was sent
    await pass_time(hass, freezer, 700)
    assert state_of(hass, "select", "output_priority") == "unavailable"
    script.error = None
    await pass_time(hass, freezer, 130)
    assert state_of(hass, "number", "ac_charge_current") == "10.0"
    assert device.writes.seen == []


@pytest.mark.parametrize("code", [ErrorCode.READER_CRASHED, ErrorCode.READER_TIMEOUT])
async def test_a_change_that_is_interrupted(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory, code: ErrorCode
) -> None:
    """Nobody knows what came of it: the settings are unknown until they were read again."""
    await start(hass, script, "riv4835")
    script.error = code
    with pytest.raises(HomeAssistantError, match="doesn't know whether the device applied it"):
        await change(hass, "number", "ac_charge_current", "set_value", value=25)
    assert state_of(hass, "number", "ac_charge_current") == "unavailable"
    script.error = None
    await pass_time(hass, freezer, 31)
    assert state_of(hass, "number", "ac_charge_current") == "10.0"


async def test_settings_are_read_seldom(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """All at set-up, then one in each poll, each every ten minutes; what was changed at the device is seen."""
    device = await start(hass, script, "riv4835")
    assert len(script.plans[0].units[0].spans) == 8
    await pass_time(hass, freezer, 590)
    assert all(not plan.units[0].spans for plan in script.plans[1:])
    device.overrides[0xE205] = 300
    await pass_time(hass, freezer, 600)
    spans = [plan.units[0].spans for plan in script.plans[1:] if plan.units[0].spans]
    assert all(len(span) == 1 for span in spans)
    assert len(set(spans)) == 8
    assert state_of(hass, "number", "ac_charge_current") == "30.0"


async def test_a_setting_that_is_written_too_often(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """More than ten times a day brings a repair that names it; the next day it is gone."""
    freezer.move_to("2026-11-25 10:00:00+00:00")
    await start(hass, script, "riv4835")
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    issues, issue_id = ir.async_get(hass), f"settings_written_often_{entry.entry_id}"
    for number in range(11):
        assert issues.async_get_issue(DOMAIN, issue_id) is None
        await change(hass, "number", "ac_charge_current", "set_value", value=5 * (number % 2))
    issue = issues.async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["settings"] == "AC charge current (11)"
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert issues.async_get_issue(DOMAIN, issue_id) is not None
    freezer.tick(timedelta(days=1))
    await pass_time(hass, freezer, 60)
    assert issues.async_get_issue(DOMAIN, issue_id) is None
