"""The days that a device keeps: read when asked for, and once a day into long-term statistics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
import re
from typing import Final

from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
)
from homeassistant.components.recorder.statistics import (
    async_add_external_statistics,
    get_last_statistics,
)
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.recorder import async_migration_in_progress, get_instance
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import EnergyConverter

from .const import DOMAIN
from .coordinator import BluPowCoordinator
from .lib.blupow_ble.connection_log import Topic
from .lib.blupow_ble.profiles.declaration import UnitOfMeasurement
from .lib.blupow_ble.profiles.decoding import decode_history
from .lib.blupow_ble.profiles.profile import History, HistoryField
from .lib.blupow_ble.protocol.errors import ErrorCode, ReaderError
from .lib.blupow_ble.supervisor.unit_state import DayMark, UnitState
from .texts import text
from .units import unit_name

IMPORT_HOUR: Final = 12
"""From this local hour on yesterday is imported: a device's own day may end hours later than ours."""
SHORTEST_DAY: Final = timedelta(hours=20)
"""A day that begins sooner after another one is the same, seen from another time zone."""
PAUSE: Final = timedelta(hours=1)
"""After an import that failed."""

RECORDER: Final = "recorder"
OPERATING_DAYS: Final = "operating_days"
"""The value that counts the days on which a device had power."""
_ENERGY: Final = frozenset({UnitOfMeasurement.WATT_HOUR, UnitOfMeasurement.KILOWATT_HOUR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a device kept of one day."""

    date: date
    """Local; devices count days by a clock of their own."""
    days_ago: int
    values: Mapping[str, int | float]


async def async_read_history(
    coordinator: BluPowCoordinator, unit: UnitState, history: History
) -> list[Day]:
    """Return the days that a unit keeps, the latest first. Raises ReaderError."""
    reading = await coordinator.supervisor.read_registers(history.spans, unit)
    for code in reading.failed.values():
        if code is not ErrorCode.MODBUS_EXCEPTION:
            # it is refused that says that a day is not kept; silence says nothing
            raise ReaderError(code, "the days that the device keeps could not all be read")
    today = dt_util.now().date()
    decoded = decode_history(history, reading.registers, unit.profile.no_value)
    return [
        Day(date=today - timedelta(days=days_ago), days_ago=days_ago, values=values)
        for days_ago, values in sorted(decoded.items())
    ]


def is_dated(before: DayMark | None, now: DayMark | None, days_ago: int) -> bool:
    """Whether it is certain on which date a day was that the device has counted.

    Devices count the days on which they had power. Where they have counted fewer than the calendar since
    they were last looked at, nobody knows which of the days between were without power; nor, from then on,
    which dates the days before have.
    """
    if before is None or now is None or days_ago == 0:
        return True
    passed = (now.date - before.date).days
    return now.count - before.count == passed and days_ago <= passed


class HistoryImport:
    """Imports the days that units keep, once a day, after a fresh reading."""

    def __init__(self, hass: HomeAssistant, coordinator: BluPowCoordinator) -> None:
        """Prepare to import."""
        self._hass = hass
        self._coordinator = coordinator
        self._done: dict[str, date] = {}
        """By the unit's key."""
        self._not_before: datetime | None = None
        self._busy = False
        self._seen = coordinator.supervisor.fresh_readings

    @callback
    def start(self) -> CALLBACK_TYPE:
        """Begin; return what ends it."""
        return self._coordinator.async_add_listener(self._on_update)

    @property
    def _due(self) -> bool:
        now = dt_util.now()
        waiting = self._not_before is not None and now < self._not_before
        return now.hour >= IMPORT_HOUR and not waiting and any(self._left())

    def _left(self) -> Iterator[tuple[UnitState, History]]:
        """Go through the units whose days were not yet imported today."""
        for unit in self._coordinator.supervisor.units:
            history = unit.profile.history_of(unit.model)
            done = self._done.get(unit.key) == dt_util.now().date()
            if history is not None and unit.unresponsive is None and not done:
                yield unit, history

    @callback
    def _on_update(self) -> None:
        """Import after a fresh reading: the device is near and answers."""
        coordinator = self._coordinator
        seen, self._seen = self._seen, coordinator.supervisor.fresh_readings
        if self._busy or seen == coordinator.supervisor.fresh_readings:
            return
        if coordinator.virtual or RECORDER not in self._hass.config.components:
            return
        if not self._due or async_migration_in_progress(self._hass):
            return
        self._busy = True
        coordinator.config_entry.async_create_background_task(
            self._hass, self._import(), f"{coordinator.name} history"
        )

    async def _import(self) -> None:
        """Import all units; what failed is tried again later."""
        try:
            for unit, history in list(self._left()):
                try:
                    await self._import_unit(unit, history)
                except ReaderError as err:
                    line = f"unit {unit.unit_id}: no history was read: {err}"
                    self._coordinator.supervisor.link.log.debug(Topic.POLL, line)
                    if err.code is not ErrorCode.MODBUS_EXCEPTION:
                        self._not_before = dt_util.now() + PAUSE
                        continue
                self._done[unit.key] = dt_util.now().date()
        finally:
            self._busy = False

    async def _import_unit(self, unit: UnitState, history: History) -> None:
        today, count = dt_util.now().date(), unit.value(OPERATING_DAYS)
        mark = DayMark(int(count), today) if isinstance(count, int) else None
        days = [
            day
            for day in await async_read_history(self._coordinator, unit, history)
            if is_dated(unit.day_mark, mark, day.days_ago)
        ]
        unit.day_mark = mark
        for field in history.fields:
            if field.summed:
                values = {
                    day.date: day.values[field.key]
                    for day in days
                    if day.days_ago > 0 and field.key in day.values
                }
                await self._add(unit, field, values)

    async def _add(
        self, unit: UnitState, field: HistoryField, values: Mapping[date, int | float]
    ) -> None:
        """Add the days that are not yet in the statistics, and their sum."""
        statistic_id = statistic_id_of(self._coordinator, unit, field)
        instance = get_instance(self._hass)
        found = await instance.async_add_executor_job(
            get_last_statistics, self._hass, 1, statistic_id, True, {"sum"}
        )
        last = found[statistic_id][0] if found else None
        total = (last.get("sum") or 0.0) if last else 0.0
        after = dt_util.utc_from_timestamp(last["start"]) if last else None
        rows: list[StatisticData] = []
        for day in sorted(values):
            start = dt_util.start_of_local_day(day)
            if after is not None and start - after < SHORTEST_DAY:
                continue
            total += values[day]
            rows.append(StatisticData(start=start, state=float(values[day]), sum=total))
        if not rows:
            return
        several = len(self._coordinator.supervisor.units) > 1
        name = self._coordinator.device_name
        if several:
            name = unit_name(name, unit)
        metadata = StatisticMetaData(
            mean_type=StatisticMeanType.NONE,
            has_sum=True,
            name=text(self._hass, f"statistic_{field.key}", name=name),
            source=DOMAIN,
            statistic_id=statistic_id,
            unit_class=EnergyConverter.UNIT_CLASS if field.unit_of_measurement in _ENERGY else None,
            unit_of_measurement=field.unit_of_measurement.value,
        )
        async_add_external_statistics(self._hass, metadata, rows)


def statistic_prefix(base: str) -> str:
    """Return what the ids of an entry's statistics begin with."""
    return f"{DOMAIN}:{re.sub(r'[^a-z0-9]+', '_', base.lower())}"


def statistic_id_of(coordinator: BluPowCoordinator, unit: UnitState, field: HistoryField) -> str:
    """Return the id of a unit's statistic."""
    parts = (coordinator.base_id, unit.key, field.key)
    return statistic_prefix("_".join(part for part in parts if part))
