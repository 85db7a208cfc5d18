"""The settings of inverters, model by model: what may be written, and what each claim rests on.

Sources: write tests of owners (RIV4835CSH1S of 2026-09, REGO of 2026-08), a capture of the vendor's
app (RIV1230PCH), registers compared with the display of a RIV4835CSH1S, the vendor's inverter protocol
V1.8. Left out: output voltage and frequency, bonding, address, reset, battery type, which moves
all voltages at once and was refused by a sister machine, and the total charge current of a RIV4835CSH1S,
whose range no source gives. Order rules beyond that of the two transfer voltages are those of the
maker's charge controllers.
"""

from dataclasses import replace
from typing import Final

from .declaration import Span, UnitOfMeasurement
from .setting import OFF, ON, Condition, Controls, Evidence, OrderRule
from .setting_forms import amperes, choice, number_setting, switch, volts

OUTPUT_PRIORITY: Final = {0: "solar_first", 1: "grid_first", 2: "battery_first"}
# no source names 0 for this model
PCH_OUTPUT_PRIORITY: Final = {1: "grid_first", 2: "battery_first"}
CHARGER_PRIORITY: Final = {0: "solar_first", 1: "grid_first", 2: "solar_and_grid", 3: "solar_only"}
AC_RANGE: Final = {0: "wide", 1: "narrow"}
POWER_SAVING: Final = {0: OFF, 1: ON, 2: "sleep"}
BEEPER: Final = {0: ON, 1: OFF}
AC_OUTPUT: Final = {1: ON, 2: OFF}

_RIV4835_WRITTEN: Final = (
    Evidence.HARDWARE,
    "owner's write test of a RIV4835CSH1S, 2026-09",
)
_RIV4835_READ: Final = (
    Evidence.DOCUMENT,
    "protocol V1.8; read from a RIV4835CSH1S and compared with its display, never written",
)
_REGO_WRITTEN: Final = (
    Evidence.HARDWARE,
    "owner's write test of a REGO inverter, 2026-08",
)
_REGO_SAME: Final = (
    Evidence.DOCUMENT,
    "the same register as in a RIV1230PCH, not tried on a REGO inverter",
)
_APP: Final = (
    Evidence.APP,
    "capture of the vendor's app with a RIV1230PCH-23S",
)
_APP_READS: Final = (
    Evidence.DOCUMENT,
    "read by the vendor's app; written by another project's program",
)

# Real volts of a 48 V battery; the protocol's range of 9-15.5 V is that of a 12 V one.
_48V: Final = (36.0, 62.0)

_USER: Final = 0
_RIV4835_VOLTAGES: Final = (
    "equalization_voltage",
    "boost_voltage",
    "float_voltage",
    "boost_recovery_voltage",
    "over_discharge_recovery_voltage",
    "under_voltage_warning_level",
    "over_discharge_voltage",
    "discharge_limit_voltage",
)
"""Registers 4425 to 4432."""

RIV4835_CONTROLS: Final = Controls(
    settings=(
        amperes("ac_charge_current", 0xE205, (0, 40, 5), _RIV4835_WRITTEN),
        choice("output_priority", 4441, OUTPUT_PRIORITY, _RIV4835_WRITTEN),
        amperes("solar_charge_current", 0xE001, (0, 150, 1), _RIV4835_READ),
        choice("charger_priority", 4447, CHARGER_PRIORITY, _RIV4835_READ),
        choice("ac_range", 4443, AC_RANGE, _RIV4835_READ),
        choice("power_saving", 4444, POWER_SAVING, _RIV4835_READ),
        volts("battery_to_grid_voltage", 4437, _48V, _RIV4835_READ),
        volts("grid_to_battery_voltage", 4439, _48V, _RIV4835_READ),
        *(
            volts(
                key,
                register,
                _48V,
                _RIV4835_READ,
                may_be_ignored_unless=Condition("battery_type", 4424, frozenset({_USER})),
            )
            for register, key in enumerate(_RIV4835_VOLTAGES, 4425)
        ),
        number_setting(
            "over_discharge_delay",
            4433,
            (0, 120, 1),
            _RIV4835_READ,
            unit_of_measurement=UnitOfMeasurement.SECOND,
        ),
        number_setting(
            "equalization_time",
            4434,
            (0, 600, 1),
            _RIV4835_READ,
            unit_of_measurement=UnitOfMeasurement.MINUTE,
        ),
        number_setting(
            "boost_time",
            4435,
            (10, 600, 1),
            _RIV4835_READ,
            unit_of_measurement=UnitOfMeasurement.MINUTE,
        ),
        number_setting(
            "equalization_interval",
            4436,
            (0, 255, 1),
            _RIV4835_READ,
            unit_of_measurement=UnitOfMeasurement.DAY,
        ),
        number_setting(
            "equalization_timeout",
            4440,
            (5, 900, 5),
            _RIV4835_READ,
            unit_of_measurement=UnitOfMeasurement.MINUTE,
        ),
        switch("beeper", 4101, _RIV4835_READ, BEEPER),
        switch("restart_after_overload", 0xE20D, _RIV4835_READ),
        switch("restart_after_over_temperature", 0xE20E, _RIV4835_READ),
        switch("source_change_alarm", 0xE211, _RIV4835_READ),
        switch("overload_bypass", 0xE212, _RIV4835_READ),
    ),
    # It never answered more than 14 words at once.
    spans=(
        Span(start=0xE205, words=1),
        Span(start=4439, words=6),
        Span(start=4424, words=14),
        Span(start=4447, words=1),
        Span(start=4101, words=1),
        Span(start=0xE001, words=1),
        Span(start=0xE20D, words=2),
        Span(start=0xE211, words=2),
    ),
    order=(
        OrderRule("grid_to_battery_voltage", "battery_to_grid_voltage", gap=1),
        OrderRule("equalization_voltage", "boost_voltage"),
        OrderRule("boost_voltage", "float_voltage"),
        OrderRule("float_voltage", "boost_recovery_voltage", gap=1),
        OrderRule("boost_recovery_voltage", "over_discharge_recovery_voltage", gap=1),
        OrderRule("over_discharge_recovery_voltage", "over_discharge_voltage", gap=1),
        OrderRule("over_discharge_voltage", "discharge_limit_voltage"),
        OrderRule("under_voltage_warning_level", "discharge_limit_voltage"),
    ),
)

REGO_CONTROLS: Final = Controls(
    settings=(
        amperes("ac_input_limit", 4456, (1, 50, 1), _REGO_WRITTEN),
        amperes("charge_current", 4422, (5, 150, 5), _REGO_WRITTEN),
        volts("under_voltage_warning_level", 4430, (9, 15.5), _REGO_WRITTEN),
        volts("over_voltage_threshold", 4452, (9, 16), _REGO_WRITTEN),
        choice("output_priority", 4441, PCH_OUTPUT_PRIORITY, _REGO_SAME),
        switch("ac_output", 4102, _REGO_SAME, AC_OUTPUT, primary=True),
        switch("beeper", 4101, _REGO_SAME, BEEPER),
    ),
    # answered one by one (owner's reading); of the others nothing longer was tried
    spans=tuple(
        Span(start=register, words=1) for register in (4456, 4422, 4430, 4452, 4441, 4102, 4101)
    ),
    order=(OrderRule("over_voltage_threshold", "under_voltage_warning_level", gap=1),),
)

_PCH_SETTINGS: Final = (
    switch("beeper", 0x1005, _APP, BEEPER),
    switch("ac_output", 0x1006, _APP, AC_OUTPUT, primary=True),
    amperes("charge_current", 0x1146, (30, 120, 5), _APP),
    choice("output_priority", 0x1159, PCH_OUTPUT_PRIORITY, _APP),
    volts("over_voltage_threshold", 0x1164, (9, 16), _APP),
    volts("over_voltage_recovery_voltage", 0x1165, (9, 15.5), _APP),
    volts("under_voltage_recovery_voltage", 0x1166, (9, 16), _APP),
    switch("lithium_activation", 0x1169, _APP),
    volts("under_voltage_warning_level", 0x114E, (9, 15.5), _APP),
    volts("over_discharge_voltage", 0x114F, (9, 15.5), _APP),
    volts("equalization_voltage", 0x1149, (9, 15.5), _APP_READS),
    volts("boost_voltage", 0x114A, (9, 15.5), _APP_READS),
    volts("float_voltage", 0x114B, (9, 15.5), _APP_READS),
)
PCH_CONTROLS: Final = Controls(
    # the app was captured with the one, not with a RIV1220PCH
    settings=tuple(replace(setting, confirmed_for=("RIV1230PCH",)) for setting in _PCH_SETTINGS),
    # as the vendor's app reads them
    spans=(
        Span(start=0x1005, words=2),
        Span(start=0x1146, words=10),
        Span(start=0x1159, words=1),
        Span(start=0x1164, words=6),
    ),
    order=(
        OrderRule("equalization_voltage", "boost_voltage"),
        OrderRule("boost_voltage", "float_voltage"),
        OrderRule("over_voltage_threshold", "over_voltage_recovery_voltage", gap=1),
        OrderRule("over_voltage_threshold", "equalization_voltage", gap=1),
        OrderRule("under_voltage_recovery_voltage", "over_discharge_voltage", gap=1),
        OrderRule("under_voltage_warning_level", "over_discharge_voltage"),
    ),
)
