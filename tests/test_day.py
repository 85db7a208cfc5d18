"""A simulated day: whatever the radio does, what is shown is true, and shown as long as it may be."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
import gc
import os
import random
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
)

from custom_components.blupow.lib.blupow_ble.reader import bluez, link_claim
from custom_components.blupow.lib.blupow_ble.supervisor.link_state import Snapshot
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_change_event

from .helpers.bluetooth import hear, service_info
from .helpers.day import FIELDS, IN_RANGE, NUMBERS, Day, DayReader, forget_stale_object
from .helpers.timeline import set_up

STEP = 2
HOURS = 24
GRACE = 600
SEEDS = range(23, 23 + int(os.environ.get("BLUPOW_DAYS", "1")))
"""One day in each run of the tests; BLUPOW_DAYS=10 lets ten pass."""
SPINS = 300
"""More turns of the event loop than a whole reading takes, when nothing waits for the clock."""


@pytest.fixture(params=SEEDS)
def day(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Day:
    """Have readings come over a link with the day's faults."""
    day = Day(seed=request.param)
    monkeypatch.setattr(DayReader, "day", day, raising=False)
    for name in ("IsolatedReader", "InProcessReader"):
        monkeypatch.setattr(f"custom_components.blupow.bluetooth.device_reader.{name}", DayReader)
    monkeypatch.setattr(bluez, "remove", forget_stale_object)
    monkeypatch.setattr(random, "uniform", random.Random(request.param).uniform)
    return day


class Witness:
    """Compares what Home Assistant shows with what the device has sent."""

    def __init__(self, hass: HomeAssistant, day: Day, entities: dict[str, str]) -> None:
        """Begin."""
        self.hass = hass
        self.day = day
        self.entities = entities
        self.available = 0
        self.flips = 0
        self._number = 0
        async_track_state_change_event(hass, entities["output_voltage"], self._on_change)

    @callback
    def _on_change(self, event: Event[EventStateChangedData]) -> None:
        """Count how often the values appear or disappear."""
        before, after = event.data["old_state"], event.data["new_state"]
        if before is not None and after is not None:
            gone = STATE_UNAVAILABLE
            self.flips += (before.state == gone) is not (after.state == gone)

    def look(self) -> None:
        """Check what is shown now."""
        states = {key: self.hass.states.get(entity) for key, entity in self.entities.items()}
        values = {key: state.state for key, state in states.items() if state is not None}
        assert len(values) == len(self.entities)
        fresh = self.day.fresh
        shown = values["output_voltage"] != STATE_UNAVAILABLE
        # available exactly while the last fresh reading is within the grace, all of them alike
        assert shown is (fresh is not None and self.day.clock - fresh[1] <= GRACE)
        assert {values[key] != STATE_UNAVAILABLE for key in FIELDS} == {shown}
        if shown:
            kept = {
                key for key, state in states.items() if state and "last_read" in state.attributes
            }
            self._check_numbers(values, kept)
        self.available += shown

    def _check_numbers(self, values: dict[str, str], kept: set[str]) -> None:
        """Whatever is shown was sent in the last fresh reading, or says that it is older; within its grace."""
        assert self.day.fresh is not None
        number, _ = self.day.fresh
        assert number >= self._number
        self._number = number
        for key, (_, offset, scale) in FIELDS.items():
            if values[key] != STATE_UNKNOWN:
                numbers = [number]
                if key in kept:
                    earliest = self.day.clock - GRACE
                    numbers = [before for before, at in self.day.earlier if at >= earliest]
                sent = [(offset + before % NUMBERS) * scale for before in numbers]
                assert any(float(values[key]) == pytest.approx(value) for value in sent), key
        last = self.day.codes_since_fresh
        assert (values["connection_status"] == "connected") is (last == 0)


def notes_at_once(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the notes of links read at once: a thread takes its time by another clock than this day."""
    in_a_thread = hass.async_add_executor_job

    def run(work: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        if work.__module__ != link_claim.__name__:
            return in_a_thread(work, *args)
        done = hass.loop.create_future()
        done.set_result(work(*args))
        return done

    monkeypatch.setattr(hass, "async_add_executor_job", run)


@pytest.mark.usefixtures("enable_bluetooth", "no_bluez", "heard")
async def test_a_day(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    day: Day,
) -> None:
    """24 hours, 80 % of them in range, every fault of the simulator at random."""
    hass.loop.set_debug(False)
    notes_at_once(hass, monkeypatch)
    recoveries = async_capture_events(hass, "blupow_recovery")
    lost = async_capture_events(hass, "blupow_connection_lost")
    restored = async_capture_events(hass, "blupow_connection_restored")
    await set_up(hass, entry)
    registry = er.async_get(hass)
    entities = {
        registered.unique_id.removeprefix(f"{entry.unique_id}_"): registered.entity_id
        for registered in er.async_entries_for_config_entry(registry, entry.entry_id)
    }
    witness = Witness(
        hass, day, {key: entities[key] for key in (*FIELDS, "connection_status", "problem")}
    )
    witness.look()
    gc.collect()
    tasks = len(asyncio.all_tasks())
    for _ in range(HOURS * 3600 // STEP):
        freezer.tick(timedelta(seconds=STEP))
        day.pass_time(STEP)
        if day.advertising:
            hear(hass, service_info())
        async_fire_time_changed(hass)
        await hass.async_block_till_done()
        for _ in range(SPINS if day.at_once else 3):
            await asyncio.sleep(0)
        witness.look()

    coordinator = entry.runtime_data.only
    total = HOURS * 3600 / STEP
    steps = Counter(event.data["step"] for event in recoveries)
    print(
        f"in range {day.in_range / HOURS / 36:.1f} %, shown {100 * witness.available / total:.1f} %"
    )
    print(f"polls {day.polls}, good {day.good}, failures {dict(sorted(day.codes.items()))}")
    print(f"lost {len(lost)}, recoveries {len(recoveries)}, by step {dict(steps)}")
    # never two things at once with the device
    assert day.most_at_once == 1
    # each loss was announced once, and each end of one
    assert len(lost) - len(restored) in (0, 1)
    assert witness.flips == len(lost) + len(restored)
    # what is kept is bounded, what is done is done
    assert len(coordinator.supervisor.link.polls) == 100
    assert len(coordinator.supervisor.link.log.lines) == 100
    # a poll, a recovery, and polls by advertisements that wait until the device can be connected to
    assert len(asyncio.all_tasks()) <= tasks + 4
    gc.collect()
    snapshots = sum(isinstance(kept, Snapshot) for kept in gc.get_objects())
    assert snapshots <= 4
    # it was a bad day, and a day worth the name
    assert day.in_range / (HOURS * 3600) == pytest.approx(IN_RANGE, abs=0.01)
    assert len(day.codes) >= 10
    assert witness.available / total > day.in_range / (HOURS * 3600) - 0.02
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert day.at_once == 0
