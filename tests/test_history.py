"""The days that devices keep: returned by an action, and once a day in the long-term statistics."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.blupow.history import is_dated
from custom_components.blupow.lib.blupow_ble.profiles.declaration import Span
from custom_components.blupow.lib.blupow_ble.protocol import session
from custom_components.blupow.lib.blupow_ble.protocol.errors import ErrorCode
from custom_components.blupow.lib.blupow_ble.protocol.modbus import seal
from custom_components.blupow.lib.blupow_ble.reader.reading import Reader
from custom_components.blupow.lib.blupow_ble.reader.result import Reading
from custom_components.blupow.lib.blupow_ble.supervisor.unit_state import DayMark
from custom_components.blupow.lib.blupow_ble.virtual.controller import LOAD, SOLAR
from custom_components.blupow.lib.blupow_ble.virtual.device import Module
from custom_components.blupow.lib.blupow_ble.virtual.waves import midnight
from homeassistant.components.recorder.statistics import (
    list_statistic_ids,
    statistics_during_period,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.recorder import get_instance

from .helpers.families import FAMILIES
from .helpers.scripted import NOW, Script
from .helpers.timeline import pass_time, set_up

GENERATED = "blupow:c4_d3_6a_00_00_35_solar_energy"


@pytest.fixture(autouse=True)
async def _utc(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have local days be those of the virtual devices' clock; by a frozen one nothing is waited for."""
    monkeypatch.setattr(session, "DRAIN_QUIET", 0)
    await hass.config.async_set_time_zone("UTC")


async def history(hass: HomeAssistant, entry: MockConfigEntry, **target: str) -> dict[str, Any]:
    """Have the action return the days."""
    if not target:
        device, *_ = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
        target = {"device_id": device.id}
    answer = await hass.services.async_call(
        "blupow",
        "get_history",
        target,
        blocking=True,
        return_response=True,
    )
    assert answer is not None
    return answer


class Forgetful:
    """A controller that refuses to tell its days, with a code."""

    pushes = False

    def __init__(self, device: Module, code: int | None = 4) -> None:
        """Begin so."""
        self._device = device
        self.overrides = device.overrides
        self.code = code
        self.asked = 0

    def frame(self) -> bytes:
        """Push nothing."""
        return b""

    def answer(self, request: bytes) -> bytes | None:
        """Answer, but for the days."""
        if request[2] != 0xF0 or self.code is None:
            return self._device.answer(request)
        self.asked += 1
        return seal(bytes((request[0], 0x83, self.code)))


def generated(day: int) -> int:
    """Return what the virtual controller generated so many days ago."""
    return SOLAR.counted(midnight(NOW, day), midnight(NOW, day - 1))


@pytest.mark.usefixtures("heard", "no_bluez")
async def test_history_of_a_controller(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Today so far, and seven days before it, with their units."""
    freezer.move_to(datetime.fromtimestamp(NOW, UTC))
    script.device = FAMILIES["controller"].device()
    entry = FAMILIES["controller"].entry()
    await set_up(hass, entry)
    found = await history(hass, entry)
    today = datetime.fromtimestamp(NOW, UTC).date()
    assert [day["date"] for day in found["days"]] == [
        (today - timedelta(days=ago)).isoformat() for ago in range(8)
    ]
    assert [day["solar_energy"] for day in found["days"][1:]] == [
        generated(day) for day in range(1, 8)
    ]
    assert found["days"][0]["load_energy"] == LOAD.counted(midnight(NOW), NOW)
    assert found["days"][3]["minimum_battery_voltage"] == 13.2
    assert found["units"]["solar_energy"] == "Wh"
    assert found["units"]["charged"] == "Ah"


@pytest.mark.usefixtures("heard", "no_bluez")
async def test_history_of_an_inverter(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """Seven days, yesterday first, in the units that it sends."""
    await set_up(hass, entry)
    found = await history(hass, entry)
    assert [day["days_ago"] for day in found["days"]] == [1, 2, 3, 4, 5, 6, 7]
    assert all(9 < day["load_energy"] < 11 for day in found["days"])
    assert all(day["mains_load_energy"] == 0.0 for day in found["days"])
    assert found["units"]["load_energy"] == "kWh"


@pytest.mark.usefixtures("heard", "no_bluez")
async def test_history_of_a_unit_behind_a_hub(hass: HomeAssistant, script: Script) -> None:
    """The device that is named is asked, not the first one."""
    script.device = FAMILIES["hub"].device()
    entry = FAMILIES["hub"].entry()
    await set_up(hass, entry)
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    (controller,) = [device for device in devices if "controller" in (device.name or "")]
    found = await history(hass, entry, device_id=controller.id)
    assert found["days"][1]["solar_energy"] == generated(1)
    (battery, *_) = [device for device in devices if "Battery" in (device.name or "")]
    with pytest.raises(ServiceValidationError, match="keeps no history"):
        await history(hass, entry, device_id=battery.id)


@pytest.mark.usefixtures("heard", "no_bluez")
async def test_history_that_cannot_be_read(
    hass: HomeAssistant, entry: MockConfigEntry, script: Script
) -> None:
    """The cause is reported."""
    await set_up(hass, entry)
    script.error = ErrorCode.NO_RESPONSE
    with pytest.raises(HomeAssistantError, match="does not answer"):
        await history(hass, entry)


async def sums(hass: HomeAssistant) -> list[tuple[datetime, float, float]]:
    """Return what the statistics hold: day, energy, sum."""
    await async_wait_recording_done(hass)
    found = await get_instance(hass).async_add_executor_job(
        statistics_during_period,
        hass,
        datetime.fromtimestamp(NOW, UTC) - timedelta(days=30),
        None,
        {GENERATED},
        "hour",
        None,
        {"state", "sum"},
    )
    return [
        (datetime.fromtimestamp(row["start"], UTC), row["state"] or 0.0, row["sum"] or 0.0)
        for row in found.get(GENERATED, [])
    ]


@pytest.mark.usefixtures("recorder_mock", "heard", "no_bluez")
async def test_import_into_statistics(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """Whole days only, each once; a failure is made good later."""
    noon = datetime.fromtimestamp(midnight(NOW) + 12 * 3600, UTC)
    freezer.move_to(noon)
    script.device = FAMILIES["controller"].device()
    script.device.clock = lambda: freezer().replace(tzinfo=UTC).timestamp()
    await set_up(hass, FAMILIES["controller"].entry())
    await pass_time(hass, freezer, 31)
    days = [datetime.fromtimestamp(midnight(NOW, ago), UTC) for ago in range(7, 0, -1)]
    energies = [generated(ago) for ago in range(7, 0, -1)]
    rows = await sums(hass)
    assert [(day, energy) for day, energy, _ in rows] == list(zip(days, energies, strict=True))
    assert rows[-1][2] == sum(energies)
    (known,) = [
        item
        for item in await get_instance(hass).async_add_executor_job(list_statistic_ids, hass)
        if item["statistic_id"] == GENERATED
    ]
    assert known["name"] == "BT-TH-6A000035 solar energy (daily history)"
    assert known["statistics_unit_of_measurement"] == "Wh"
    polls = script.polls
    await pass_time(hass, freezer, 31)
    assert [plan for plan in script.plans[polls:] if plan.spans] == []
    assert await sums(hass) == rows
    # the next day it fails at first
    freezer.move_to(noon + timedelta(hours=24))
    script.error = ErrorCode.NO_RESPONSE
    await pass_time(hass, freezer, 61)
    script.error = None
    await pass_time(hass, freezer, 601)
    rows = await sums(hass)
    assert len(rows) == 8
    assert rows[-1][0] == datetime.fromtimestamp(midnight(NOW), UTC)
    assert rows[-1][2] == pytest.approx(sum(energies) + rows[-1][1])


@pytest.mark.parametrize(
    ("before", "now", "dated"),
    [
        # each day counted: what passed since is certain, what was before is reported already
        ((20, 100), (21, 101), {0, 1}),
        ((20, 100), (24, 104), {0, 1, 2, 3, 4}),
        ((20, 100), (20, 100), {0}),
        # two days without power: which ones?
        ((20, 100), (24, 102), {0}),
        # the count was reset, or is another device's
        ((20, 100), (21, 3), {0}),
        # the first look, or a device that does not count
        (None, (20, 100), {0, 1, 2, 3, 4, 5, 6, 7}),
        ((20, 100), None, {0, 1, 2, 3, 4, 5, 6, 7}),
    ],
)
def test_dates_are_certain(
    before: tuple[int, int] | None, now: tuple[int, int] | None, dated: set[int]
) -> None:
    """A device's days are put under a date only where each day since the last look was counted."""

    def mark(look: tuple[int, int] | None) -> DayMark | None:
        return DayMark(look[1], date(2026, 11, look[0])) if look else None

    assert {ago for ago in range(8) if is_dated(mark(before), mark(now), ago)} == dated


@pytest.mark.usefixtures("recorder_mock", "heard", "no_bluez")
async def test_days_without_power(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """After days that the device did not count, nothing is put under a wrong date, then or later."""
    noon = datetime.fromtimestamp(midnight(NOW) + 12 * 3600, UTC)
    freezer.move_to(noon)
    device = script.device = FAMILIES["controller"].device()
    device.clock = lambda: freezer().replace(tzinfo=UTC).timestamp()
    entry = FAMILIES["controller"].entry()
    device.overrides = {0x0115: 100}
    await set_up(hass, entry)
    await pass_time(hass, freezer, 31)
    rows = await sums(hass)
    assert len(rows) == 7
    # three days later it has counted one more
    freezer.move_to(noon + timedelta(days=3))
    device.overrides = {0x0115: 101}
    await pass_time(hass, freezer, 61)
    assert await sums(hass) == rows
    # the day after that is certain again
    freezer.move_to(noon + timedelta(days=4))
    device.overrides = {0x0115: 102}
    await pass_time(hass, freezer, 61)
    later = await sums(hass)
    assert [day for day, _, _ in later[7:]] == [
        datetime.fromtimestamp(midnight(NOW), UTC) + timedelta(days=3)
    ]
    assert later[-1][2] == pytest.approx(rows[-1][2] + later[-1][1])


@pytest.mark.usefixtures("recorder_mock", "heard", "no_bluez")
async def test_import_that_fails_is_made_good(
    hass: HomeAssistant,
    script: Script,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Days that are not answered are asked for again an hour later, all of them."""
    freezer.move_to(datetime.fromtimestamp(midnight(NOW) + 13 * 3600, UTC))
    script.device = FAMILIES["controller"].device()
    read_spans = Reader.read_spans
    unanswered = True

    async def some(self: Reader, spans: tuple[Span, ...]) -> Reading:
        reading = await read_spans(self, spans)
        if unanswered:
            del reading.main.registers[0xF003]
            reading.main.failed[str(0xF003)] = ErrorCode.NO_RESPONSE
        return reading

    monkeypatch.setattr(Reader, "read_spans", some)
    await set_up(hass, FAMILIES["controller"].entry())
    await pass_time(hass, freezer, 61)
    assert await sums(hass) == []
    unanswered = False
    await pass_time(hass, freezer, 61)
    assert await sums(hass) == []
    await pass_time(hass, freezer, 3601, step=20)
    assert len(await sums(hass)) == 7


@pytest.mark.usefixtures("recorder_mock", "heard", "no_bluez")
async def test_device_that_keeps_no_days(
    hass: HomeAssistant, script: Script, freezer: FrozenDateTimeFactory
) -> None:
    """It refuses; it is not asked again that day."""
    freezer.move_to(datetime.fromtimestamp(midnight(NOW) + 13 * 3600, UTC))
    refusing = Forgetful(FAMILIES["controller"].device(), code=2)
    script.device = refusing
    await set_up(hass, FAMILIES["controller"].entry())
    await pass_time(hass, freezer, 4000, step=20)
    assert refusing.asked == 1
    assert await sums(hass) == []
