"""The actions and the button, as an automation or a user calls them."""

import asyncio
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.blupow.const import DOMAIN
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from homeassistant.auth.const import GROUP_ID_USER
from homeassistant.auth.models import User
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceValidationError,
    Unauthorized,
    UnknownUser,
)
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component

from .helpers.families import FAMILIES
from .helpers.scripted import Script
from .helpers.timeline import pass_time, set_up

BUTTON = "button.btric134000035_reconnect"

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")


async def act(hass: HomeAssistant, action: str, **data: Any) -> dict[str, Any]:
    """Call an action and return what it returns."""
    answer = await hass.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True
    )
    assert answer is not None
    return answer


def device_of(hass: HomeAssistant, entry: MockConfigEntry) -> str:
    """Return the id of an entry's device."""
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return device.id


async def test_actions_are_there_before_any_device(hass: HomeAssistant) -> None:
    """An automation that names a device which is not loaded gets an error."""
    assert await async_setup_component(hass, DOMAIN, {})
    assert set(hass.services.async_services_for_domain(DOMAIN)) == {
        "force_reconnect",
        "health_check",
        "read_registers",
        "get_history",
        "update_settings",
        "set_charge_current",
        "set_ac_input_limit",
        "set_output_priority",
        "set_load",
        "set_minimum_soc",
        "set_charge_start_time",
        "set_charge_end_time",
        "set_discharge_start_time",
        "set_discharge_end_time",
    }
    with pytest.raises(ServiceValidationError):
        await act(hass, "health_check", config_entry_id="nobody")


@pytest.mark.parametrize("action", ["force_reconnect", "health_check"])
@pytest.mark.parametrize(
    "target",
    [
        {},
        {"device_id": "a"},
        {"entity_id": "sensor.x"},
    ],
)
async def test_target_of_what_acts_on_a_link(
    hass: HomeAssistant, entry: MockConfigEntry, action: str, target: dict[str, str]
) -> None:
    """One entry, and never the first one there is."""
    await set_up(hass, entry)
    with pytest.raises(probatio.Invalid):
        await act(hass, action, **target)


@pytest.mark.parametrize("action", ["get_history", "read_registers"])
@pytest.mark.parametrize(
    "target", [{}, {"config_entry_id": "a"}, {"device_id": "a", "config_entry_id": "b"}]
)
async def test_target_of_what_acts_on_a_unit(
    hass: HomeAssistant, entry: MockConfigEntry, action: str, target: dict[str, str]
) -> None:
    """One device."""
    await set_up(hass, entry)
    registers = {"start": 4000, "count": 1} if action == "read_registers" else {}
    with pytest.raises(probatio.Invalid):
        await act(hass, action, **target, **registers)


async def test_device_of_another_integration(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """It gets the error that there is no such device."""
    await set_up(hass, entry)
    with pytest.raises(ServiceValidationError) as caught:
        await act(hass, "get_history", device_id="elsewhere")
    assert caught.value.translation_key == "no_such_device"


async def test_module_is_no_unit(hass: HomeAssistant, script: Script) -> None:
    """What several units share keeps no history: the user is asked to choose one of them."""
    script.device = FAMILIES["hub"].device()
    entry = FAMILIES["hub"].entry()
    await set_up(hass, entry)
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    (module,) = [device for device in devices if device.model == "Bluetooth module"]
    with pytest.raises(ServiceValidationError, match="Choose one of the units"):
        await act(hass, "get_history", device_id=module.id)


async def test_entry_that_is_not_loaded(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """It is reported, by its device too."""
    await set_up(hass, entry)
    device_id = device_of(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(ServiceValidationError) as caught:
        await act(hass, "get_history", device_id=device_id)
    assert caught.value.translation_key == "service_config_entry_not_loaded"
    with pytest.raises(ServiceValidationError) as caught:
        await act(hass, "force_reconnect", config_entry_id=entry.entry_id)
    assert caught.value.translation_key == "service_config_entry_not_loaded"


async def test_force_reconnect(
    hass: HomeAssistant, entry: MockConfigEntry, virtual_entry: MockConfigEntry, script: Script
) -> None:
    """The named device alone is read; how long that took is returned."""
    await set_up(hass, entry)
    await set_up(hass, virtual_entry)
    polls = script.polls
    answer = await act(hass, "force_reconnect", config_entry_id=entry.entry_id)
    assert answer == {"seconds": pytest.approx(0, abs=1), "step": 1}
    assert script.polls == polls + 1
    assert script.routes[-1].device.address == "C4:D3:6A:00:00:35"
    answer = await act(hass, "force_reconnect", config_entry_id=virtual_entry.entry_id)
    assert script.routes[-1].device.address == "virtual"
    await hass.services.async_call(
        DOMAIN, "force_reconnect", {"config_entry_id": entry.entry_id}, blocking=True
    )
    assert script.polls == polls + 3


async def test_force_reconnect_that_fails(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """The cause is reported by its code and a sentence."""
    await set_up(hass, entry)
    script.error = ErrorCode.HELD_BY_OTHER
    with pytest.raises(HomeAssistantError, match="Close the Renogy app") as caught:
        await act(hass, "force_reconnect", config_entry_id=entry.entry_id)
    assert caught.value.translation_domain == DOMAIN
    assert caught.value.translation_key == "held_by_other"


async def acts_as(
    hass: HomeAssistant, user: User, action: str, **data: Any
) -> dict[str, Any] | None:
    """Call an action as a user."""
    return await hass.services.async_call(
        DOMAIN,
        action,
        data,
        blocking=True,
        return_response=True,
        context=Context(user_id=user.id),
    )


async def test_user_who_may_only_look(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    hass_read_only_user: User,
) -> None:
    """The state is reported; the device is not touched."""
    await set_up(hass, entry)
    polls = script.polls
    target = {"config_entry_id": entry.entry_id}
    unit = {"device_id": device_of(hass, entry)}
    with pytest.raises(Unauthorized):
        await acts_as(hass, hass_read_only_user, "force_reconnect", **target)
    with pytest.raises(Unauthorized):
        await acts_as(hass, hass_read_only_user, "get_history", **unit)
    with pytest.raises(Unauthorized):
        await acts_as(hass, hass_read_only_user, "read_registers", **unit, start=4000, count=1)
    answer = await acts_as(hass, hass_read_only_user, "health_check", **target)
    assert answer["status"] == "connected"
    assert script.polls == polls


async def test_registers_are_for_administrators(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, hass_admin_user: User
) -> None:
    """Whoever may control the device may reconnect it; raw registers are for administrators."""
    await set_up(hass, entry)
    user = await hass.auth.async_create_user("someone", group_ids=[GROUP_ID_USER])
    target = {"config_entry_id": entry.entry_id}
    assert (await acts_as(hass, user, "force_reconnect", **target))["step"] == 1
    unit = {"device_id": device_of(hass, entry)}
    with pytest.raises(Unauthorized):
        await acts_as(hass, user, "read_registers", **unit, start=4000, count=1)
    answer = await acts_as(hass, hass_admin_user, "read_registers", **unit, start=4000, count=1)
    assert (answer["start"], len(answer["words"])) == (4000, 1)


async def test_user_who_is_gone(
    hass: HomeAssistant, entry: MockConfigEntry, hass_admin_user: User
) -> None:
    """An automation of a user who was deleted does nothing."""
    await set_up(hass, entry)
    await hass.auth.async_remove_user(hass_admin_user)
    with pytest.raises(UnknownUser):
        await acts_as(hass, hass_admin_user, "force_reconnect", config_entry_id=entry.entry_id)


async def test_button(hass: HomeAssistant, entry: MockConfigEntry, script: Script) -> None:
    """It reconnects, and tells the cause of a failure."""
    await set_up(hass, entry)
    polls = script.polls
    press = {"entity_id": BUTTON}
    await hass.services.async_call("button", "press", press, blocking=True)
    assert script.polls == polls + 1
    script.error = ErrorCode.CONNECT_TIMEOUT
    with pytest.raises(HomeAssistantError, match="no connection was made in time") as caught:
        await hass.services.async_call("button", "press", press, blocking=True)
    assert caught.value.translation_key == "connect_timeout"
    script.error = None
    await hass.services.async_call("button", "press", press, blocking=True)


async def test_health_check_of_a_healthy_device(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """What is known, without asking the device."""
    await set_up(hass, entry)
    await pass_time(hass, freezer, 40)
    polls = script.polls
    answer = await act(hass, "health_check", config_entry_id=entry.entry_id)
    assert script.polls == polls
    assert answer == {
        "name": "BTRIC134000035",
        "status": "connected",
        "problem": None,
        "what_to_do": None,
        "last_reading": answer["last_reading"],
        "data_age": pytest.approx(10, abs=2),
        "consecutive_failures": 0,
        "partial_polls": 0,
        "missing_blocks": [],
        "connect_timeout": 25,
        "route": {
            "kind": "isolated",
            "reason": "heard best by hci0 (00:00:00:00:00:01)",
            "scanner": "00:00:00:00:00:01",
            "adapter": "hci0",
        },
        "scanners": [
            {
                "name": "hci0 (00:00:00:00:00:01)",
                "local": True,
                "signal_strength": -60,
                "free_connections": 5,
                "failed_in_a_row": 0,
                "cooldown": 0,
            }
        ],
        "signal_strength": -60,
        "success_rate": 100,
        "availability": 100,
        "last_duration": 0,
        "average_duration": 0,
        "last_errors": [],
        "recovery": {
            "worked": 0,
            "failed_in_a_row": 0,
            "given_up": False,
            "under_way": False,
            "next": None,
        },
    }


async def test_health_check_of_a_lost_device(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """The last errors, the next recovery, and what to do."""
    script.error = ErrorCode.HELD_BY_OTHER
    await set_up(hass, entry, recovery_limit=1, stale_checks=1)
    await pass_time(hass, freezer, 130)
    answer = await act(hass, "health_check", config_entry_id=entry.entry_id)
    assert answer["status"] == "lost"
    assert answer["problem"] == "held_by_other"
    assert "Close the Renogy app" in answer["what_to_do"]
    assert answer["route"] is answer["last_reading"] is answer["data_age"] is None
    assert answer["success_rate"] == 0
    assert answer["last_duration"] is answer["average_duration"] is None
    assert len(answer["last_errors"]) == 5
    assert answer["last_errors"][-1]["code"] == "held_by_other"
    assert answer["last_errors"][-1]["message"] == "scripted held_by_other"
    assert answer["recovery"]["failed_in_a_row"] == 1
    assert answer["recovery"]["given_up"]
    assert answer["recovery"]["next"] > answer["last_errors"][-1]["at"]


async def test_read_registers(hass: HomeAssistant, entry: MockConfigEntry, script: Script) -> None:
    """The words as they are, decimal and hexadecimal."""
    await set_up(hass, entry)
    script.device.overrides = {4109: 32, 4005: 132}
    answer = await act(
        hass, "read_registers", device_id=device_of(hass, entry), start=4005, count=1
    )
    assert answer == {"unit_id": 32, "start": 4005, "words": [132], "hex": "0084"}
    answer = await act(
        hass, "read_registers", device_id=device_of(hass, entry), start="4000", count=10
    )
    assert len(answer["words"]) == 10
    assert len(answer["hex"].split()) == 10
    assert entry.runtime_data.only.supervisor.link.failures == 0


@pytest.mark.parametrize(
    ("start", "count"), [(0, 0), (0, 61), (-1, 1), (65536, 1), ("x", 1), (0, None)]
)
async def test_registers_out_of_range(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script, start: Any, count: Any
) -> None:
    """Refused before anything is asked."""
    await set_up(hass, entry)
    polls = script.polls
    with pytest.raises(probatio.Invalid):
        await act(
            hass, "read_registers", device_id=device_of(hass, entry), start=start, count=count
        )
    assert script.polls == polls


async def test_registers_beyond_the_last(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """The last one is 65535."""
    await set_up(hass, entry)
    with pytest.raises(ServiceValidationError, match="65535"):
        await act(hass, "read_registers", device_id=device_of(hass, entry), start=65530, count=10)


async def test_registers_that_the_device_refuses(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """Told with the code; it is no failed poll, and nothing is lost."""
    await set_up(hass, entry)
    with pytest.raises(HomeAssistantError) as caught:
        await act(hass, "read_registers", device_id=device_of(hass, entry), start=9000, count=5)
    assert caught.value.translation_key == "modbus_exception"
    assert entry.runtime_data.only.supervisor.link.failures == 0
    assert entry.runtime_data.only.supervisor.health.status == "connected"


async def test_registers_wait_for_a_poll_and_give_way_to_a_reconnect(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """One thing at a time; what is ended gets an error, not left hanging."""
    await set_up(hass, entry)
    coordinator = entry.runtime_data.only
    script.gate.clear()
    poll = asyncio.create_task(coordinator.async_refresh())
    while not script.at_once:
        await asyncio.sleep(0)
    target = {"config_entry_id": entry.entry_id}
    unit = {"device_id": device_of(hass, entry)}
    registers = asyncio.create_task(act(hass, "read_registers", **unit, start=4000, count=1))
    for _ in range(20):
        await asyncio.sleep(0)
    assert script.at_once == 1
    script.gate.set()
    await poll
    script.gate.clear()
    while not (script.at_once and script.plans[-1].spans):
        await asyncio.sleep(0)
    reconnect = asyncio.create_task(act(hass, "force_reconnect", **target))
    with pytest.raises(HomeAssistantError) as caught:
        await registers
    assert caught.value.translation_key == "interrupted"
    script.gate.set()
    assert (await reconnect)["step"] == 1
    assert script.most_at_once == 1


async def test_shunt_has_no_registers(hass: HomeAssistant, script: Script) -> None:
    """It is no registers to read, and that is what is reported."""
    script.device = FAMILIES["shunt"].device()
    entry = FAMILIES["shunt"].entry()
    await set_up(hass, entry)
    with pytest.raises(ServiceValidationError, match="no registers to read"):
        await act(hass, "read_registers", device_id=device_of(hass, entry), start=0, count=1)
