"""The heartbeat, the steps and the back-off, by a frozen clock."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from itertools import pairwise
import logging
import random
from typing import Any, override

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
)

from custom_components.blupow.bluetooth import recovery
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode, ReaderError
from custom_components.blupow.lib.blupow_ble.protocol.modbus import EXCEPTION_FLAG, seal
from custom_components.blupow.lib.blupow_ble.supervisor.exclusive import Interrupted
from custom_components.blupow.lib.blupow_ble.supervisor.link_state import LinkState
from custom_components.blupow.lib.blupow_ble.supervisor.watchdog import Watchdog
from custom_components.blupow.lib.blupow_ble.virtual.device import VirtualDevice
from homeassistant.components.persistent_notification import _async_get_or_create_notifications
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import device_registry as dr

from .helpers.scripted import NOW, Script
from .helpers.timeline import pass_time, set_up, state

STATUS = "sensor.btric134000035_connection_status"
RECOVERIES = "sensor.btric134000035_recoveries"

STEPS = ("close_links", "look_again", "rediscover")

pytestmark = pytest.mark.usefixtures("heard", "no_bluez")


class StepSpy:
    """Notes which steps are done, and can let one of them heal the device."""

    def __init__(self, script: Script) -> None:
        """Begin."""
        self._script = script
        self.taken: list[str] = []
        self.heals: str | None = None

    def spy(
        self, name: str, real: Callable[..., Coroutine[Any, Any, Any]]
    ) -> Callable[..., Coroutine[Any, Any, Any]]:
        """Return a step that is noted, and then done."""

        async def step(*args: Any) -> Any:
            self.taken.append(name)
            if self.heals == name:
                self._script.error = None
                self._script.gate.set()
            return await real(*args)

        return step

    def recoveries(self) -> int:
        """Return how many recoveries there were."""
        return self.taken.count(STEPS[0])


@pytest.fixture
def steps(script: Script, monkeypatch: pytest.MonkeyPatch) -> StepSpy:
    """Watch the steps, without jitter."""
    steps = StepSpy(script)
    for name in STEPS:
        monkeypatch.setattr(recovery, name, steps.spy(name, getattr(recovery, name)))
    monkeypatch.setattr(random, "uniform", lambda low, high: 1.0)
    return steps


@pytest.fixture
def events(hass: HomeAssistant) -> list[Event]:
    """Return the recoveries that were announced."""
    return async_capture_events(hass, "blupow_recovery")


async def lose(hass: HomeAssistant, entry: MockConfigEntry, script: Script, **options: Any) -> None:
    """Set the device up, read it once, and let it fail from then on."""
    await set_up(hass, entry, **options)
    script.error = ErrorCode.NO_RESPONSE


class Moved(VirtualDevice):
    """A device behind a hub, which says that nothing has the address asked for."""

    @override
    def answer(self, request: bytes) -> bytes | None:
        if request[0] != self.unit_id:
            return seal(bytes((request[0], request[1] | EXCEPTION_FLAG, 11)))
        return super().answer(request)


def watchdog(entry: MockConfigEntry) -> Watchdog:
    """Return the watchdog of an entry."""
    found: Watchdog = entry.runtime_data.only.supervisor.watchdog
    return found


def link(entry: MockConfigEntry) -> LinkState:
    """Return what is known about the link of an entry."""
    found: LinkState = entry.runtime_data.only.supervisor.link
    return found


async def test_recovery_begins_with_the_third_stale_heartbeat(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Heartbeats at 360, 480 and 600 s find the reading older than 300 s."""
    await lose(hass, entry, script)
    await pass_time(hass, freezer, 599)
    assert steps.taken == []
    await pass_time(hass, freezer, 2)
    assert steps.taken == list(STEPS)
    assert script.most_at_once == 1


@pytest.mark.parametrize(
    ("options", "due"),
    [
        ({"heartbeat_interval": 60}, 480),
        ({"stale_age": 130}, 480),
        ({"stale_checks": 1}, 360),
        ({"stale_checks": 4}, 720),
        ({"heartbeat_interval": 20, "stale_age": 60, "stale_checks": 1}, 80),
    ],
)
async def test_options_say_when_a_recovery_begins(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    freezer: FrozenDateTimeFactory,
    options: dict[str, int],
    due: int,
) -> None:
    """Interval, age and checks, each in both directions."""
    await lose(hass, entry, script, **options)
    await pass_time(hass, freezer, due - 1)
    assert steps.taken == []
    await pass_time(hass, freezer, 2)
    assert steps.recoveries() == 1


async def test_fresh_reading_begins_the_count_anew(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Two stale heartbeats, a fresh reading, and it takes three again."""
    await lose(hass, entry, script, update_interval=10)
    await pass_time(hass, freezer, 500)
    script.error = None
    await entry.runtime_data.only.async_refresh()
    script.error = ErrorCode.NO_RESPONSE
    await pass_time(hass, freezer, 579)
    assert steps.taken == []
    await pass_time(hass, freezer, 2)
    assert steps.recoveries() == 1


async def test_healthy_device_is_left_alone(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Nor does a user who has switched polling off want a recovery."""
    await set_up(hass, entry, update_interval=300, stale_age=600)
    await pass_time(hass, freezer, 3600, step=5)
    assert steps.taken == []
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
    await hass.config_entries.async_reload(entry.entry_id)  # as Home Assistant does
    await pass_time(hass, freezer, 3 * 86_400, step=600)
    assert state(hass, STATUS) == "lost"
    assert steps.taken == []


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_the_step_that_heals_ends_the_recovery(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    events: list[Event],
    freezer: FrozenDateTimeFactory,
    entity_registry_enabled_by_default: None,
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    """It is the one that is announced; the steps above it are not tried."""
    caplog.set_level(logging.INFO, "custom_components.blupow")
    await lose(hass, entry, script)
    steps.heals = STEPS[number - 1]
    await pass_time(hass, freezer, 602)
    assert steps.taken == list(STEPS[:number])
    assert state(hass, STATUS) == "connected"
    assert state(hass, RECOVERIES) == "1"
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert [event.data for event in events] == [
        {
            "device_id": device.id,
            "entry_id": entry.entry_id,
            "name": "BTRIC134000035",
            "trigger": "watchdog",
            "worked": True,
            "step": number,
            "problem": "no_response",
            "silence": 600,
            "seconds": 0,
        }
    ]
    reported = [line for line in caplog.messages if line.startswith(("[watchdog]", "[recovery]"))]
    assert reported == [
        "[watchdog] BTRIC134000035: no fresh reading for 600 s: scripted no_response",
        f"[recovery] BTRIC134000035: step {number} brought a fresh reading after 0 s, started by watchdog",
    ]
    assert script.plans[-1].bypass_service_cache
    await pass_time(hass, freezer, 31)
    assert not script.plans[-1].bypass_service_cache
    assert link(entry).failed_recoveries == 0
    assert link(entry).next_recovery is None
    await pass_time(hass, freezer, 1800, step=5)
    assert len(events) == 1


async def test_third_step_probes_the_unit_again(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    freezer: FrozenDateTimeFactory,
) -> None:
    """A device that has another unit address now is found under it, and remembered."""
    await set_up(hass, entry, stale_checks=1)
    script.device = Moved(unit_id=1, clock=lambda: NOW)
    await pass_time(hass, freezer, 362)
    assert steps.taken == list(STEPS)
    assert [plan.units[0].unit_id for plan in script.plans[-3:]] == [32, 32, None]
    assert state(hass, STATUS) == "connected"
    assert entry.data["unit_id"] == 1


async def test_unit_of_the_options_is_not_probed(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The user knows better."""
    await lose(hass, entry, script, unit_id=32, stale_checks=1)
    await pass_time(hass, freezer, 362)
    assert [plan.units[0].unit_id for plan in script.plans[-3:]] == [32, 32, 32]


async def test_pauses_grow_to_the_slow_pace_and_never_end(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    events: list[Event],
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """60, 120, 240, 300 s, from the limit on 900 s for ever; each failure is reported as one, the slow ones once."""
    caplog.set_level(logging.INFO, "custom_components.blupow")
    await lose(hass, entry, script, stale_checks=1, recovery_limit=5)
    times = []
    for second in range(6000):
        await pass_time(hass, freezer, 1)
        if steps.recoveries() > len(times):
            times.append(second + 1)
            assert watchdog(entry).given_up is (len(times) >= 5)
            assert link(entry).next_recovery is not None
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert times[0] == 360
    assert pauses[:4] == pytest.approx([60, 120, 240, 300], abs=1)
    assert pauses[4:] == pytest.approx([900] * 5, abs=1)
    assert steps.taken == list(STEPS) * len(times)
    assert {event.data["worked"] for event in events} == {False}
    assert {event.data["step"] for event in events} == {None}
    assert len(events) == len(times)
    assert script.most_at_once == 1
    reported = [line for line in caplog.messages if line.startswith(("[watchdog]", "[recovery]"))]
    assert reported == [
        "[watchdog] BTRIC134000035: no fresh reading for 360 s: scripted no_response",
        *(
            f"[recovery] BTRIC134000035: recovery {number} failed, the next one starts in {pause} s: "
            "scripted no_response"
            for number, pause in enumerate((60, 120, 240, 300, 900), 1)
        ),
    ]


@pytest.mark.parametrize(("jitter", "pause"), [(0.8, 48), (1.2, 72)])
async def test_jitter(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    jitter: float,
    pause: int,
) -> None:
    """Devices that failed together do not recover in step."""
    drawn: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        return jitter

    monkeypatch.setattr(random, "uniform", uniform)
    await lose(hass, entry, script, stale_checks=1)
    await pass_time(hass, freezer, 361)
    assert steps.recoveries() == 1
    assert (0.8, 1.2) in drawn
    await pass_time(hass, freezer, pause - 2)
    assert steps.recoveries() == 1
    await pass_time(hass, freezer, 3)
    assert steps.recoveries() == 2


async def test_any_fresh_reading_resets_it_all(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    freezer: FrozenDateTimeFactory,
) -> None:
    """The failures, the pause and the next recovery; the next outage begins with the first pause."""
    await lose(hass, entry, script, stale_checks=1, recovery_limit=2)
    await pass_time(hass, freezer, 425)
    assert (steps.recoveries(), watchdog(entry).given_up) == (2, True)
    script.error = None
    await entry.runtime_data.only.async_refresh()
    assert link(entry).failed_recoveries == 0
    assert not watchdog(entry).given_up
    assert link(entry).next_recovery is None
    await pass_time(hass, freezer, 1000, step=5)
    assert steps.recoveries() == 2
    script.error = ErrorCode.NO_RESPONSE
    await pass_time(hass, freezer, 400)
    assert steps.recoveries() == 3
    assert link(entry).failed_recoveries == 1


async def test_poll_that_hangs_is_ended(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    events: list[Event],
    freezer: FrozenDateTimeFactory,
) -> None:
    """Never are two readings under way; what hung is not counted as a failed poll of its own."""
    await set_up(hass, entry, stale_checks=1)
    script.gate.clear()
    for _ in range(359):
        freezer.tick(timedelta(seconds=1))
        async_fire_time_changed(hass)
        await asyncio.sleep(0)
    assert script.at_once == 1
    assert script.polls == 2
    steps.heals = STEPS[0]
    await pass_time(hass, freezer, 3)
    assert state(hass, STATUS) == "connected"
    assert steps.taken == [STEPS[0]]
    assert events[0].data["problem"] is None
    assert script.most_at_once == 1
    assert entry.runtime_data.only.supervisor.link.success_rate == 100
    polls = script.polls
    await pass_time(hass, freezer, 60)
    assert script.polls == polls + 2


async def test_unload_in_the_middle_of_a_recovery(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    events: list[Event],
    freezer: FrozenDateTimeFactory,
) -> None:
    """Nothing goes on: no reading, no timer, no further step."""
    await lose(hass, entry, script, stale_checks=1)
    await pass_time(hass, freezer, 359)
    script.gate.clear()
    freezer.tick(timedelta(seconds=2))
    async_fire_time_changed(hass)
    while steps.taken == [] or not script.at_once:
        await asyncio.sleep(0)
    assert watchdog(entry).recovering
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert script.at_once == 0
    script.gate.set()
    await pass_time(hass, freezer, 1000, step=5)
    assert steps.taken == [STEPS[0]]
    assert events == []


async def test_unload_in_the_middle_of_a_forced_reconnect(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    events: list[Event],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who asked gets an error; a recovery that was not carried out is not reported as failed."""
    caplog.set_level(logging.INFO, "custom_components.blupow")
    await set_up(hass, entry)
    script.gate.clear()
    force = asyncio.create_task(watchdog(entry).force())
    while not script.at_once:
        await asyncio.sleep(0)
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(Interrupted):
        await force
    assert script.at_once == 0
    assert events == []
    assert "[recovery]" not in caplog.text


async def test_forced_reconnect_outlasts_who_asked(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    events: list[Event],
) -> None:
    """A browser that is closed meanwhile does not end it."""
    await set_up(hass, entry)
    script.gate.clear()
    force = asyncio.create_task(watchdog(entry).force())
    while not script.at_once:
        await asyncio.sleep(0)
    force.cancel()
    with pytest.raises(asyncio.CancelledError):
        await force
    script.gate.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert [event.data["worked"] for event in events] == [True]


async def test_other_options_do_not_reset_the_recoveries(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Only a fresh reading does: the failures and the pause go on after a reload."""
    await lose(hass, entry, script, stale_checks=1, recovery_limit=1)
    await pass_time(hass, freezer, 362)
    following = link(entry).next_recovery
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert watchdog(entry).given_up
    assert link(entry).next_recovery == following
    await pass_time(hass, freezer, 890, step=5)
    assert steps.recoveries() == 1
    await pass_time(hass, freezer, 15)
    assert steps.recoveries() == 2
    assert link(entry).failed_recoveries == 2


async def test_daily_reconnect(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    events: list[Event],
    freezer: FrozenDateTimeFactory,
) -> None:
    """At the local time that the user wants, the first step alone, whether it is needed or not."""
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2026-11-21 02:29:50+01:00")
    await set_up(hass, entry, daily_reconnect="02:30:00", update_interval=300, stale_age=3600)
    await pass_time(hass, freezer, 9)
    assert steps.taken == []
    await pass_time(hass, freezer, 2)
    assert steps.taken == [STEPS[0]]
    assert [(event.data["trigger"], event.data["worked"]) for event in events] == [("daily", True)]
    assert entry.runtime_data.only.supervisor.link.recoveries == 0
    script.error = ErrorCode.NO_RESPONSE
    freezer.move_to("2026-11-22 02:29:58+01:00")
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    steps.taken.clear()
    await pass_time(hass, freezer, 4)
    assert steps.taken == [STEPS[0]]
    assert events[-1].data["worked"] is False


@pytest.mark.parametrize("wanted", [True, False])
async def test_notification(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    freezer: FrozenDateTimeFactory,
    wanted: bool,
) -> None:
    """Of a recovery that worked, to those who want it."""
    await lose(hass, entry, script, notify_on_recovery=wanted, stale_checks=1)
    await pass_time(hass, freezer, 362)
    assert _async_get_or_create_notifications(hass) == {}
    steps.heals = STEPS[1]
    await pass_time(hass, freezer, 70)
    assert state(hass, STATUS) == "connected"
    shown = list(_async_get_or_create_notifications(hass).values())
    assert [item["message"] for item in shown] == (
        [
            "BTRIC134000035 is read again after about 7 min without a reading. Step 2 of the recovery brought it back."
        ]
        if wanted
        else []
    )


async def test_forced_reconnect_skips_the_pause(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    events: list[Event],
    freezer: FrozenDateTimeFactory,
) -> None:
    """It takes all steps, and counts neither as a failed nor as a worked recovery."""
    await lose(hass, entry, script, stale_checks=1)
    await pass_time(hass, freezer, 362)
    assert (steps.recoveries(), link(entry).failed_recoveries) == (1, 1)
    with pytest.raises(ReaderError, match="scripted no_response"):
        await watchdog(entry).force()
    assert (steps.recoveries(), link(entry).failed_recoveries) == (2, 1)
    steps.heals = STEPS[2]
    recovery = await watchdog(entry).force()
    assert (recovery.worked, recovery.step) == (True, 3)
    assert entry.runtime_data.only.supervisor.link.recoveries == 0
    assert link(entry).failed_recoveries == 0
    assert [event.data["trigger"] for event in events] == ["watchdog", "user", "user"]
    await pass_time(hass, freezer, 100)
    assert steps.recoveries() == 3


async def test_reconnects_and_polls_take_turns(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Two presses of the button, polls and an update by the user never run over one another.

    The second press has waited for the first one's fresh reading, and needs none of its own.
    """
    await set_up(hass, entry)
    script.gate.clear()
    coordinator = entry.runtime_data.only
    waiting = [
        asyncio.create_task(work)
        for work in (
            coordinator.async_refresh(),
            watchdog(entry).force(),
            watchdog(entry).force(),
            coordinator.async_refresh(),
        )
    ]
    while script.at_once == 0:
        await asyncio.sleep(0)
    for _ in range(60):
        freezer.tick(timedelta(seconds=1))
        async_fire_time_changed(hass)
        await asyncio.sleep(0)
    assert script.at_once == 1
    script.gate.set()
    _, first, second, _ = await asyncio.gather(*waiting)
    assert (first.worked, first.step) == (True, 1)
    assert second is first  # who comes meanwhile gets the same result
    assert script.most_at_once == 1
    assert steps.taken == [STEPS[0]]
    assert state(hass, STATUS) == "connected"


async def test_device_that_was_never_read(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    freezer: FrozenDateTimeFactory,
) -> None:
    """It is recovered too."""
    script.error = ErrorCode.CONNECT_TIMEOUT
    await set_up(hass, entry)
    await pass_time(hass, freezer, 359)
    assert steps.taken == []
    steps.heals = STEPS[0]
    await pass_time(hass, freezer, 2)
    assert state(hass, STATUS) == "connected"


async def test_virtual_device_has_no_radio_to_recover(
    hass: HomeAssistant,
    virtual_entry: MockConfigEntry,
    script: Script,
    steps: StepSpy,
    freezer: FrozenDateTimeFactory,
) -> None:
    """It is read again, and that is all."""
    await lose(hass, virtual_entry, script, stale_checks=1)
    await pass_time(hass, freezer, 359)
    polls = script.polls
    await pass_time(hass, freezer, 2)
    assert script.polls == polls + 3
    assert steps.taken == []
