"""What is known of the settings of a unit, and how often they were changed."""

from datetime import date

import pytest

from custom_components.blupow.lib.blupow_ble.profiles.controller import CONTROLLER
from custom_components.blupow.lib.blupow_ble.profiles.declaration import NO_VALUE, Span
from custom_components.blupow.lib.blupow_ble.profiles.inverter import INVERTER
from custom_components.blupow.lib.blupow_ble.profiles.setting import Setting
from custom_components.blupow.lib.blupow_ble.reader.result import (
    Outcome,
    SettingReport,
    Timings,
    WriteReport,
)
from custom_components.blupow.lib.blupow_ble.supervisor.unit_settings import (
    UnitSettings,
    WritesToday,
)

TODAY, TOMORROW = date(2026, 11, 21), date(2026, 11, 22)
CURRENT, PRIORITY = 0xE205, 4441


def of_an_inverter() -> UnitSettings:
    """Return what is known of a RIV4835CSH1S of which nothing was read yet."""
    return UnitSettings(INVERTER.register_map(INVERTER.model("RIV4835CSH1S")))


def of_a_controller() -> UnitSettings:
    """Return what is known of a controller of which nothing was read yet."""
    return UnitSettings(CONTROLLER.register_map(CONTROLLER.model("Rover")))


def setting_of(settings: UnitSettings, key: str) -> Setting:
    """Return a setting of the profile."""
    setting = settings.register_map.controls.setting(key)
    assert setting is not None
    return setting


def sent(*keys: str, registers: dict[int, int] | None = None) -> WriteReport:
    """Return the report of a change that sent these settings."""
    return WriteReport(
        settings=tuple(
            SettingReport(key=key, outcome=Outcome.UNCONFIRMED, wanted=1, sent=True) for key in keys
        ),
        registers=registers or {},
        timings=Timings(connect=0, read=0),
        attempts=1,
    )


def test_writes_of_a_day() -> None:
    """They are counted until the next day; the eleventh is one too many."""
    writes = WritesToday()
    for number in range(11):
        assert writes.too_often(TODAY) == {}, number
        writes.note(["a"], TODAY)
    writes.note(["b"], TODAY)
    assert writes.too_often(TODAY) == {"a": 11}
    assert writes.too_often(TOMORROW) == {}
    writes.note(["b"], TOMORROW)
    assert (writes.day, writes.counts) == (TOMORROW, {"b": 1})


def test_words_that_are_kept() -> None:
    """Those of the settings alone; for three rounds of ten minutes, or of longer intervals."""
    settings = of_an_inverter()
    settings.keep({4439: (0, 1, 2, 3, 4, 5), 4000: (230,)}, 100)
    assert settings.words(100) == {4439: 0, 4440: 1, 4441: 2, 4442: 3, 4443: 4, 4444: 5}
    assert settings.words(1900) == settings.words(100)
    assert settings.words(1901) == {}
    settings.interval = 3600
    assert settings.words(100 + 3 * 3600) == settings.words(100)
    assert settings.words(101 + 3 * 3600) == {}
    settings.forget()
    assert settings.words(100) == {}


def test_when_a_span_was_read() -> None:
    """By the register that was read longest ago; half a span was not read."""
    settings = of_an_inverter()
    span = Span(start=4439, words=6)
    assert settings.read_at(span) == float("-inf")
    settings.keep({4439: (0,) * 6}, 100)
    settings.keep({4441: (0,)}, 200)
    assert settings.read_at(span) == 100
    settings = of_an_inverter()
    settings.keep({4439: (0,) * 5}, 100)
    assert settings.read_at(span) == float("-inf")


def test_value() -> None:
    """None where the device has no such setting."""
    settings = of_an_inverter()
    current = setting_of(settings, "ac_charge_current")
    assert settings.value(current, 100) is None
    settings.keep({CURRENT: (250,)}, 100)
    assert settings.value(current, 100) == 25
    settings.keep({CURRENT: (NO_VALUE,)}, 100)
    assert settings.value(current, 100) is None


@pytest.mark.parametrize(
    ("recognized", "tenths", "value", "low", "high"),
    [(0x0C0C, 132, 14.4, 7, 17), (0x1818, 264, 28.8, 14, 34), (0x0C0C, 264, None, 7, 17)],
    ids=["12 V", "24 V", "contradictory"],
)
def test_voltages(
    recognized: int, tenths: int, value: float | None, low: float, high: float
) -> None:
    """They follow the voltage of the system; where it is not known, the limits are those of 12 V."""
    settings = of_a_controller()
    boost = setting_of(settings, "boost_voltage")
    settings.keep({0x0101: (tenths,), 0xE003: (recognized,), 0xE008: (144,)}, 100)
    assert settings.value(boost, 100) == value
    limits = settings.limits(boost, 100)
    assert (limits.low, limits.high) == (low, high)


def test_what_a_change_leaves() -> None:
    """What was read back is known, what was sent and not read back is not; what was sent is counted."""
    settings = of_an_inverter()
    settings.keep({CURRENT: (100,), 4439: (0,) * 6}, 100)
    report = sent("ac_charge_current", "output_priority", registers={PRIORITY: 2})
    settings.keep_report(report, 200, TODAY)
    words = settings.words(200)
    assert CURRENT not in words
    assert words[PRIORITY] == 2
    assert settings.read_at(Span(start=PRIORITY, words=1)) == 200
    assert settings.writes.day == TODAY
    assert settings.writes.counts == {"ac_charge_current": 1, "output_priority": 1}
    # once more, where it is not known any more
    settings.keep_report(sent("ac_charge_current"), 300, TODAY)
    assert settings.writes.counts["ac_charge_current"] == 2


def test_what_wears_the_memory() -> None:
    """A switch that is kept nowhere is not counted, nor what the device does not have."""
    settings = of_a_controller()
    settings.note_sent(["load", "boost_voltage", "no_such_thing"], TODAY)
    assert (settings.writes.day, settings.writes.counts) == (TODAY, {"boost_voltage": 1})
