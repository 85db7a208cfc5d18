"""The settings of inverters that answer the maker's own map alone.

Sources: write tests of owners (EASUN SMX II, SPI-12K-H3P of 2026-07-31), and the SRNE protocols V1.96
and V2.08. Left out: output voltage and frequency, bonding, address, parallel and phase mode, reset; and
battery type and charging voltages, which sister machines refused to change (exception 11); transfer
voltages, as no source says where the machine tells the voltage of its system; the link to a BMS.
"""

from dataclasses import replace
from typing import Final

from .declaration import Span, UnitOfMeasurement
from .inverter_settings import AC_RANGE, CHARGER_PRIORITY, OUTPUT_PRIORITY
from .setting import Controls, Evidence, OrderRule, Setting, SettingKind
from .setting_forms import Claim, amperes, choice, number_setting, switch

_WRITTEN: Final = (Evidence.HARDWARE, "owner's write test of a SPI-12K-H3P, 2026-07-31")
_EASUN: Final = (Evidence.HARDWARE, "owner's write test of an EASUN SMX II, firmware 6.63")
_EASUN_CHARGER: Final = (
    Evidence.HARDWARE,
    f"{_EASUN[1]} (solar and grid); a SPI-12K-H3P refused grid first",
)
_DOCUMENT: Final = (Evidence.DOCUMENT, "SRNE protocols V1.96 and V2.08")

CHARGE_WINDOWS: Final = Span(start=0xE026, words=7)
"""Three windows, each of a begin and an end, and whether they are on: written at once (function 16)."""
DISCHARGE_WINDOWS: Final = Span(start=0xE02D, words=7)
EARLIEST_START: Final = 0x0001
"""A window that begins at 00:00 is kept as 00:01."""


_TIMES: Final = (
    ("over_discharge_delay", 0xE010, (0, 120, 1), UnitOfMeasurement.SECOND),
    ("equalization_time", 0xE011, (0, 900, 1), UnitOfMeasurement.MINUTE),
    ("boost_time", 0xE012, (10, 900, 1), UnitOfMeasurement.MINUTE),
    ("equalization_interval", 0xE013, (0, 255, 1), UnitOfMeasurement.DAY),
    ("equalization_timeout", 0xE023, (5, 900, 5), UnitOfMeasurement.MINUTE),
)


def _percent(key: str, register: int) -> Setting:
    unit = UnitOfMeasurement.PERCENT
    return number_setting(key, register, (0, 100, 1), _WRITTEN, unit_of_measurement=unit)


def _window(name: str, block: Span, claim: Claim) -> tuple[Setting, ...]:
    """Return the first window of a block, and the switch of the block's windows."""
    evidence, source = claim
    begin = Setting(
        key=f"{name}_start_time",
        register=block.start,
        kind=SettingKind.TIME,
        evidence=evidence,
        source=source,
        earliest=EARLIEST_START,
        block=block,
    )
    end = replace(begin, key=f"{name}_end_time", register=block.start + 1, earliest=0)
    return begin, end, switch(f"{name}_window", block.start + 6, claim, block=block)


SRNE_CONTROLS: Final = Controls(
    settings=(
        amperes("ac_charge_current", 0xE205, (0, 120, 1), _WRITTEN),
        amperes("charge_current", 0xE20A, (0, 200, 1), _WRITTEN),
        choice("output_priority", 0xE204, OUTPUT_PRIORITY, _EASUN),
        choice("charger_priority", 0xE20F, CHARGER_PRIORITY, _EASUN_CHARGER),
        choice("ac_range", 0xE20B, AC_RANGE, _DOCUMENT),
        switch("power_saving", 0xE20C, _DOCUMENT),
        amperes("solar_charge_current", 0xE001, (0, 150, 1), _DOCUMENT),
        amperes("end_of_charge_current", 0xE01C, (0, 10, 0.1), _DOCUMENT),
        *(
            number_setting(key, register, limits, _DOCUMENT, unit_of_measurement=unit)
            for key, register, limits, unit in _TIMES
        ),
        *_window("charge", CHARGE_WINDOWS, _WRITTEN),
        *_window("discharge", DISCHARGE_WINDOWS, _DOCUMENT),
        _percent("minimum_soc", 0xE01F),
        _percent("discharge_cut_off_soc", 0xE00F),
        _percent("low_soc_alarm", 0xE01E),
        _percent("back_to_battery_soc", 0xE020),
        _percent("stop_charging_soc", 0xE01D),
    ),
    # never across 0xE206 and 0xE207: some firmware does not answer such a span
    spans=(
        Span(start=0xE204, words=2),
        Span(start=0xE026, words=14),
        Span(start=0xE01D, words=4),
        Span(start=0xE20A, words=2),
        Span(start=0xE20F, words=1),
        Span(start=0xE00F, words=1),
        # what is only documented is read by itself: a refusal must not cost what is known
        Span(start=0xE001, words=1),
        Span(start=0xE010, words=4),
        Span(start=0xE01C, words=1),
        Span(start=0xE023, words=1),
        Span(start=0xE20C, words=1),
    ),
    # measured: an alarm less than 5 points above the cut-off is refused with exception 3
    order=(
        OrderRule("low_soc_alarm", "discharge_cut_off_soc", gap=5),
        OrderRule("back_to_battery_soc", "low_soc_alarm", gap=5),
        OrderRule("back_to_battery_soc", "minimum_soc"),
    ),
)
