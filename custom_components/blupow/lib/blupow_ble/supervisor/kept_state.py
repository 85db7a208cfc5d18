"""What is kept of a link over a restart of its host, as JSON knows it. Times are seconds since 1970."""

from collections import Counter as Tally
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time as time_of_day
import time
from typing import Any, Final

from ..reader.answers import is_value
from .link_state import LinkState
from .schedule import SCHEDULE_KEYS, TIMES, Mode, Schedule, ScheduleState
from .unit_settings import WritesToday
from .unit_state import DayMark, UnitSnapshot, UnitState, guard_of

type Stored = dict[str, Any]

MALFORMED: Final = (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError)
"""What a record of another shape may raise."""


def restore(link: LinkState, stored: Stored) -> None:
    """Take over what was stored. Raises one of MALFORMED for another shape; nothing is taken over then."""
    behind = time.time() - time.monotonic()
    units = {key: _unit(link.units[key], data, behind) for key, data in _known(link, stored)}
    marks = {key: _day_mark(data["day_mark"]) for key, data in _known(link, stored)}
    lost, fresh_at = stored["announced_lost"], stored["fresh_at"]
    ignored = set(stored["ignored_repairs"])
    if not all(isinstance(repair, str) for repair in ignored):
        raise TypeError("a repair is of another kind")
    if not isinstance(lost, bool) or not (fresh_at is None or _is_number(fresh_at)):
        raise TypeError("what was announced is of another kind")
    link.ignored_repairs |= ignored
    if link.fresh_at is None and fresh_at is not None:
        link.fresh_at = min(fresh_at - behind, time.monotonic())
        link.announced_lost = lost
    changes = {
        key: _changes(data.get("changes"), same=_same(link.units[key], data))
        for key, data in _known(link, stored)
    }
    for key, (guards, energies, snapshot) in units.items():
        unit = link.units[key]
        if (of_unit := changes[key]) is not None and not unit.schedule.busy:
            unit.schedule, unit.settings.writes = of_unit
        unit.guards = guards | unit.guards
        unit.energies = energies | unit.energies
        unit.snapshot = unit.snapshot or snapshot
        unit.day_mark = unit.day_mark or marks[key]


def _known(link: LinkState, stored: Stored) -> list[tuple[str, Mapping[str, Any]]]:
    return [(key, data) for key, data in stored["units"].items() if key in link.units]


def _unit(
    unit: UnitState, data: Mapping[str, Any], behind: float
) -> tuple[dict[str, Any], dict[str, float], UnitSnapshot | None]:
    """Return the guards, the energies and the last values of a unit. Raises for a wrong shape."""
    guards = {}
    fields = {item.key: item for item in unit.register_map.fields}
    for key, (value, at) in data["counters"].items():
        field = fields.get(key)
        if field is None or field.per_hour is None:
            continue
        if not _is_number(value) or not _is_number(at):
            raise TypeError(f"{key} is no counter")
        guards[key] = replace(guard_of(field), value=value, at=min(at - behind, time.monotonic()))
    if not all(_is_number(energy) for energy in data["energies"].values()):
        raise TypeError("an energy is no number")
    if data["values"] is None:
        return guards, dict(data["energies"]), None
    same = _same(unit, data)
    if not all(is_value(value) for value in data["values"].values()):
        raise TypeError("a value is none")
    if not same:
        return guards, dict(data["energies"]), None
    snapshot = UnitSnapshot(
        values={key: value for key, value in data["values"].items() if key in _keys(unit)},
        taken_at=datetime.fromtimestamp(data["taken_at"], UTC),
        taken_at_monotonic=min(data["taken_at"] - behind, time.monotonic()),
        failed={},
        dropped=(),
        unknown={},
        registers={},
    )
    return guards, dict(data["energies"]), snapshot


def _changes(
    stored: Mapping[str, Any] | None, *, same: bool
) -> tuple[ScheduleState, WritesToday] | None:
    """Return the schedule of a unit, and how often it was written to. Raises for a wrong shape.

    Of another model, what the settings were says nothing any more.
    """
    if stored is None:
        return None
    wanted, state = dict(stored["schedule"]), stored["state"]
    for name in wanted.keys() & TIMES:
        wanted[name] = time_of_day.fromisoformat(wanted[name])
    known = {key: value for key, value in wanted.items() if key in SCHEDULE_KEYS}
    before = {str(key): value for key, value in state["before"].items()}
    if not all(isinstance(value, bool | int | float | str) for value in before.values()):
        raise TypeError("a setting is of another kind")
    traces = {str(key): list(values) for key, values in state["traces"].items()}
    counts = {str(key): int(count) for key, count in stored["written"].items()}
    if not same:
        return ScheduleState(schedule=Schedule(**known)), WritesToday()
    return (
        ScheduleState(
            schedule=Schedule(**known),
            mode=Mode(state["mode"]),
            before=before,
            traces=traces,
            target=None if state["target"] is None else Mode(state["target"]),
            manual=bool(state["manual"]),
            source_changed_at=_moment(state["source_changed_at"]),
            tried_at=_moment(state["tried_at"]),
            tried_mode=Mode(state["tried_mode"]),
            tries=int(state["tries"]),
        ),
        WritesToday(date.fromisoformat(stored["day"]), Tally(counts)),
    )


def _moment(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)


def _stored_changes(unit: UnitState) -> dict[str, Any]:
    state, writes = unit.schedule, unit.settings.writes
    return {
        "schedule": {
            key: value.isoformat() if isinstance(value, time_of_day) else value
            for key, value in asdict(state.schedule).items()
        },
        "state": {
            "mode": state.mode.value,
            "before": state.before,
            "traces": state.traces,
            "target": None if state.target is None else state.target.value,
            "manual": state.manual,
            "source_changed_at": _text(state.source_changed_at),
            "tried_at": _text(state.tried_at),
            "tried_mode": state.tried_mode.value,
            "tries": state.tries,
        },
        "day": writes.day.isoformat(),
        "written": dict(writes.counts),
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _same(unit: UnitState, data: Mapping[str, Any]) -> bool:
    """Whether what was stored is of the same kind of device."""
    model = unit.model.key if unit.model else None
    return (data["profile"], data["model"]) == (unit.profile.key, model)


def _day_mark(stored: list[Any] | None) -> DayMark | None:
    """Return a day mark. Raises for a wrong shape."""
    if stored is None:
        return None
    count, day = stored
    return DayMark(int(count), date.fromisoformat(day))


def _keys(unit: UnitState) -> set[str]:
    return {
        *(item.key for item in unit.register_map.fields),
        *(item.key for item in unit.register_map.computed),
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def stored(link: LinkState) -> Stored:
    """Return what is to be kept of a link."""
    behind = time.time() - time.monotonic()
    return {
        "announced_lost": link.announced_lost,
        "ignored_repairs": sorted(link.ignored_repairs),
        "fresh_at": None if link.fresh_at is None else link.fresh_at + behind,
        "units": {key: _stored_unit(unit, behind) for key, unit in link.units.items()},
    }


def _stored_unit(unit: UnitState, behind: float) -> dict[str, Any]:
    snapshot = unit.snapshot
    return {
        "profile": unit.profile.key,
        "model": unit.model.key if unit.model else None,
        "counters": {
            key: [guard.value, guard.at + behind]
            for key, guard in unit.guards.items()
            if guard.value is not None
        },
        "energies": unit.energies,
        "changes": _stored_changes(unit),
        "day_mark": [unit.day_mark.count, unit.day_mark.date.isoformat()]
        if unit.day_mark
        else None,
        "values": None if snapshot is None else snapshot.values,
        "taken_at": None if snapshot is None else snapshot.taken_at_monotonic + behind,
    }
