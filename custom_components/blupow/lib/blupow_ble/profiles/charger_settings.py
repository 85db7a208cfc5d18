"""The settings of charge controllers and DC-DC chargers: what may be written, and what each claim rests on.

Sources: the vendor's ROVER register document and DC-DC register sheet (steps 10, 10 and 5 of the
times; some programs allow 1 there), a capture of the vendor's app with a Rover 40, owners' write
tests, and the order rules of the Rover 60 manual. Left out: address, system voltage, capacity (its
range is not documented), load timers, and the bit fields for frost.
"""

from collections.abc import Mapping
from typing import Final

from .charger import BATTERY_TYPE, BOOST_BATTERY_TYPE, ROVER_BATTERY_TYPE
from .declaration import Span, UnitOfMeasurement
from .setting import Condition, Controls, Evidence, OrderRule, Setting, State, SystemVoltage
from .setting_forms import Claim, amperes, choice, number_setting, switch, volts

_USER: Final = 0
_LITHIUM: Final = 4
_USER_LOCKED: Final = 5
_MANUAL: Final = 15
_ELITE_VOLTAGES: Final = frozenset({"boost_voltage", "float_voltage"})

_DOCUMENT: Final = (
    Evidence.DOCUMENT,
    "ROVER document; written by other programs, not confirmed on a device",
)
_SHEET: Final = (
    Evidence.DOCUMENT,
    "vendor's register sheet of DC-DC chargers; written by other programs, not confirmed",
)
_APP: Final = (Evidence.APP, "capture of the vendor's app with a Rover 40")
_LOAD: Final = (Evidence.HARDWARE, "owner's write test of a RVR40, firmware 3.1.0")
_COMPENSATION: Final = (Evidence.HARDWARE, "owner's write test of a SRNE ML2420")

USER_BATTERY: Final = Condition("battery_type", 0xE004, frozenset({_USER}))
"""Only with it the voltages may be changed: the others have tables of their own."""
LITHIUM_BATTERY: Final = Condition("battery_type", 0xE004, frozenset({_LITHIUM}))
"""With it a Rover Elite, which has no type of the user's own, takes the charging voltages."""

_VOLTAGES: Final = {
    "over_voltage_threshold": 0xE005,
    "charging_limit_voltage": 0xE006,
    "equalization_voltage": 0xE007,
    "boost_voltage": 0xE008,
    "float_voltage": 0xE009,
    "boost_recovery_voltage": 0xE00A,
    "over_discharge_recovery_voltage": 0xE00B,
    "under_voltage_warning_level": 0xE00C,
    "over_discharge_voltage": 0xE00D,
    "discharge_limit_voltage": 0xE00E,
}
# key: register, unit, and the smallest value, the largest, and the step
_TIMES: Final = {
    "over_discharge_delay": (0xE010, UnitOfMeasurement.SECOND, (0, 120, 1)),
    "equalization_time": (0xE011, UnitOfMeasurement.MINUTE, (0, 300, 10)),
    "boost_time": (0xE012, UnitOfMeasurement.MINUTE, (10, 300, 10)),
    "equalization_interval": (0xE013, UnitOfMeasurement.DAY, (0, 255, 5)),
}


def _battery_type(
    names: Mapping[int, str], claim: Claim, never_written: frozenset[int] = frozenset()
) -> Setting:
    return choice(
        "battery_type",
        0xE004,
        names,
        claim,
        never_written=never_written,
        confirmed_for=("RVR40",),
        loads_others=True,
    )


def _voltages(
    claim: Claim, *, normalized: bool, needs: Condition = USER_BATTERY
) -> tuple[Setting, ...]:
    return tuple(
        volts(key, register, (7, 17), claim, normalized=normalized, needs=(needs,))
        for key, register in _VOLTAGES.items()
    )


def _times(claim: Claim) -> tuple[Setting, ...]:
    return tuple(
        number_setting(
            key,
            register,
            limits,
            claim,
            unit_of_measurement=unit,
            may_be_ignored_unless=USER_BATTERY,
        )
        for key, (register, unit, limits) in _TIMES.items()
    )


def _compensation(claim: Claim) -> Setting:
    """Return the temperature compensation, in mV/°C for 2 V."""
    return number_setting(
        "temperature_compensation", 0xE014, (0, 5, 1), claim, confirmed_for=("ML2420",)
    )


ORDER: Final = (
    OrderRule("over_voltage_threshold", "charging_limit_voltage", gap=1),
    OrderRule("charging_limit_voltage", "equalization_voltage"),
    OrderRule("equalization_voltage", "boost_voltage"),
    OrderRule("boost_voltage", "float_voltage"),
    OrderRule("float_voltage", "boost_recovery_voltage", gap=1),
    OrderRule("boost_recovery_voltage", "over_discharge_recovery_voltage", gap=1),
    OrderRule("over_discharge_recovery_voltage", "over_discharge_voltage", gap=1),
    OrderRule("over_discharge_voltage", "discharge_limit_voltage"),
    OrderRule("under_voltage_warning_level", "discharge_limit_voltage"),
)

SETTINGS_SPAN: Final = Span(start=0xE002, words=19)


_LOAD_SWITCH: Final = switch(
    "load",
    0x010A,
    _LOAD,
    state=State(register=0x0120, bit=15),
    # by another project's table of models; Elite, Rover 100 and Boost have no load terminals
    only_for=("RVR20", "RVR30", "RVR40", "RVR60", "WND10", "WNDPG10"),
    confirmed_for=("RVR40",),
    volatile=True,
    primary=True,
    may_need_another_try=True,
    may_be_ignored_unless=Condition("load_mode", 0xE01D, frozenset({_MANUAL})),
)


def _controller(battery_type: Setting, *, needs: Condition = USER_BATTERY) -> Controls:
    return Controls(
        settings=(
            _LOAD_SWITCH,
            battery_type,
            *_voltages(_DOCUMENT, normalized=True, needs=needs),
            *_times(_DOCUMENT),
            _compensation(_COMPENSATION),
        ),
        spans=(Span(start=0x0100, words=34), SETTINGS_SPAN, Span(start=0xE01D, words=1)),
        order=ORDER,
        system_voltage=SystemVoltage(0xE003, 0x0101),
    )


ROVER_CONTROLS: Final = _controller(
    _battery_type(ROVER_BATTERY_TYPE, _APP, frozenset({_USER_LOCKED}))
)
ROVER_100_CONTROLS: Final = ROVER_CONTROLS.without("load")
WANDERER_PG_CONTROLS: Final = _controller(
    _battery_type(ROVER_BATTERY_TYPE, _DOCUMENT, frozenset({_LITHIUM, _USER_LOCKED}))
)
WANDERER_CONTROLS: Final = _controller(
    _battery_type(ROVER_BATTERY_TYPE, _DOCUMENT, frozenset({_USER, _USER_LOCKED}))
).without(*_VOLTAGES)
ELITE_CONTROLS: Final = _controller(
    _battery_type(ROVER_BATTERY_TYPE, _DOCUMENT, frozenset({_USER, _USER_LOCKED})),
    needs=LITHIUM_BATTERY,
).without("load", *(key for key in _VOLTAGES if key not in _ELITE_VOLTAGES))
BOOST_CONTROLS: Final = _controller(_battery_type(BOOST_BATTERY_TYPE, _DOCUMENT)).without("load")

DCDC_CONTROLS: Final = Controls(
    settings=(
        amperes("charge_current", 0xE001, (1, 50, 1), _SHEET, 0.01),
        _battery_type(BATTERY_TYPE, _SHEET),
        *_voltages(_SHEET, normalized=False),
        *_times(_SHEET),
        _compensation(_SHEET),
        volts("reverse_charging_voltage", 0xE020, (11, 15), _SHEET),
        amperes("solar_cut_off_current", 0xE038, (0, 10, 0.01), _SHEET, 0.01),
    ),
    spans=(
        Span(start=0xE001, words=20),
        Span(start=0xE020, words=1),
        Span(start=0xE038, words=1),
    ),
    order=ORDER,
)
