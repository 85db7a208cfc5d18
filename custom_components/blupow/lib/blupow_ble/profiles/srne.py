"""Inverters that answer the maker's own map alone.

Sources: the SRNE protocols V1.7 to V2.08 and the log of a SMX-II of the same maker.
"""

from typing import Final

from .declaration import (
    LOW_BYTE,
    Block,
    Counter,
    Field,
    Info,
    Kind,
    Quantity,
    UnitOfMeasurement,
    WordOrder,
)
from .fields import number
from .inverter_faults import FAULT_CODES
from .inverter_limits import (
    AC_AMPERES,
    AC_VOLTS,
    BATTERY_AMPERES,
    BATTERY_VOLTS,
    CELSIUS,
    HERTZ,
    MOST_AMPERES,
    MOST_KILOWATTS,
    PERCENT,
    WATTS,
)
from .profile import Model
from .srne_settings import SRNE_CONTROLS

SRNE_CHARGING_STATUS: Final = {
    0: "off",
    1: "constant_current",
    2: "constant_voltage",
    4: "float",
    6: "battery_activation",
    8: "full",
}
# 2 and 3 are initialising and soft start on some machines, operation on split-phase ones
SRNE_MACHINE_STATE: Final = {
    0: "power_on_delay",
    1: "waiting",
    4: "mains_operation",
    5: "inverter_operation",
    6: "inverter_to_mains",
    7: "mains_to_inverter",
    8: "battery_activation",
    9: "shutdown",
    10: "fault",
}


def _srne_counter(key: str, register: int, counter: Counter, unit: UnitOfMeasurement) -> Field:
    total, energy = counter is Counter.TOTAL, unit is UnitOfMeasurement.KILOWATT_HOUR
    return Field(
        key=key,
        register=register,
        words=2 if total else 1,
        scale=0.1 if energy else 1,
        unit_of_measurement=unit,
        counter=counter,
        per_hour=MOST_KILOWATTS if energy else MOST_AMPERES,
        order=WordOrder.LOW_FIRST if total else WordOrder.HIGH_FIRST,
        evidence=_SRNE_TOTALS if total else (),
        optional=True,
    )


_SRNE_TOTALS: Final = (
    "log of a SMX-II: 4558 and 1165 Ah, 73.5 and 332.0 kWh",
    "eleven values of another project's machines",
)
_SRNE_CURRENT: Final = (
    "log of a SMX-II that discharges without sun and mains",
    "measurement: +14.4 A discharging, -16.4 A charging",
    "SRNE protocols V1.96 and V2.08",
)
_SRNE_HEAT: Final = ("SRNE protocol V1.7",)


# A span that holds register 0x0211 is never answered by some firmware.
SRNE: Final = Model(
    key="SRNE",
    matches=("SRNE",),
    devices="hybrid inverters that answer the maker's own map alone",
    source="SRNE protocols V1.7 to V2.08; log of a SMX-II of the same maker",
    controls=SRNE_CONTROLS,
    standalone=True,
    without_history=True,
    blocks=(
        Block(key="live", start=0x0100, words=18, required=True),
        Block(key="inverter", start=0x0212, words=14),
        Block(key="heatsinks", start=0x0220, words=2),
        Block(key="codes", start=0x0204, words=4),
        Block(key="state", start=0x0210, words=1),
        Block(key="energy", start=0xF02D, words=15),
        Block(key="serial", start=0x0035, words=20, identity=True),
    ),
    fields=(
        number(
            "battery_percentage",
            0x0100,
            UnitOfMeasurement.PERCENT,
            PERCENT,
            quantity=Quantity.BATTERY_LEVEL,
        ),
        number("battery_voltage", 0x0101, UnitOfMeasurement.VOLT, BATTERY_VOLTS, 0.1),
        Field(
            key="charging_current",
            register=0x0102,
            scale=-0.1,  # positive when discharging
            signed=True,
            unit_of_measurement=UnitOfMeasurement.AMPERE,
            valid=BATTERY_AMPERES,
            evidence=_SRNE_CURRENT,
        ),
        number("solar_voltage", 0x0107, UnitOfMeasurement.VOLT, (0, 600), 0.1),
        number("solar_current", 0x0108, UnitOfMeasurement.AMPERE, (0, 200), 0.1),
        number("solar_power", 0x0109, UnitOfMeasurement.WATT, WATTS),
        Field(
            key="charging_status",
            register=0x010B,
            kind=Kind.ENUM,
            names=SRNE_CHARGING_STATUS,
        ),
        number("charging_power", 0x010E, UnitOfMeasurement.WATT, WATTS),
        number("solar_2_voltage", 0x010F, UnitOfMeasurement.VOLT, (0, 600), 0.1),
        number("solar_2_current", 0x0110, UnitOfMeasurement.AMPERE, (0, 200), 0.1),
        number("solar_2_power", 0x0111, UnitOfMeasurement.WATT, WATTS),
        number("input_voltage", 0x0213, UnitOfMeasurement.VOLT, AC_VOLTS, 0.1),
        number("input_current", 0x0214, UnitOfMeasurement.AMPERE, AC_AMPERES, 0.1),
        number("input_frequency", 0x0215, UnitOfMeasurement.HERTZ, HERTZ, 0.01),
        number("output_voltage", 0x0216, UnitOfMeasurement.VOLT, AC_VOLTS, 0.1),
        number("output_current", 0x0217, UnitOfMeasurement.AMPERE, AC_AMPERES, 0.1),
        number("output_frequency", 0x0218, UnitOfMeasurement.HERTZ, HERTZ, 0.01),
        number("load_current", 0x0219, UnitOfMeasurement.AMPERE, AC_AMPERES, 0.1),
        number("load_active_power", 0x021B, UnitOfMeasurement.WATT, WATTS),
        number("load_apparent_power", 0x021C, UnitOfMeasurement.VOLT_AMPERE, WATTS),
        number("line_charging_current", 0x021E, UnitOfMeasurement.AMPERE, (0, 500), 0.1),
        number("load_percentage", 0x021F, UnitOfMeasurement.PERCENT, (0, 300)),
        number(
            "dc_heatsink_temperature",
            0x0220,
            UnitOfMeasurement.CELSIUS,
            CELSIUS,
            0.1,
            signed=True,
            evidence=_SRNE_HEAT,
            optional=True,
        ),
        number(
            "ac_heatsink_temperature",
            0x0221,
            UnitOfMeasurement.CELSIUS,
            CELSIUS,
            0.1,
            signed=True,
            evidence=_SRNE_HEAT,
            optional=True,
        ),
        Field(
            key="faults",
            register=0x0204,
            words=4,
            kind=Kind.CODES,
            names=FAULT_CODES,
            optional=True,
        ),
        Field(
            key="machine_state",
            register=0x0210,
            kind=Kind.ENUM,
            names=SRNE_MACHINE_STATE,
            optional=True,
        ),
        _srne_counter("charged_today", 0xF02D, Counter.DAILY, UnitOfMeasurement.AMPERE_HOUR),
        _srne_counter("discharged_today", 0xF02E, Counter.DAILY, UnitOfMeasurement.AMPERE_HOUR),
        _srne_counter("solar_energy_today", 0xF02F, Counter.DAILY, UnitOfMeasurement.KILOWATT_HOUR),
        _srne_counter("load_energy_today", 0xF030, Counter.DAILY, UnitOfMeasurement.KILOWATT_HOUR),
        Field(
            key="operating_days",
            register=0xF031,
            unit_of_measurement=UnitOfMeasurement.DAY,
            valid=(0, 20 * 366),
            counter=Counter.EVENTS,
            optional=True,
            advanced=True,
        ),
        _srne_counter("charged_total", 0xF034, Counter.TOTAL, UnitOfMeasurement.AMPERE_HOUR),
        _srne_counter("discharged_total", 0xF036, Counter.TOTAL, UnitOfMeasurement.AMPERE_HOUR),
        _srne_counter("solar_energy_total", 0xF038, Counter.TOTAL, UnitOfMeasurement.KILOWATT_HOUR),
        _srne_counter("load_energy_total", 0xF03A, Counter.TOTAL, UnitOfMeasurement.KILOWATT_HOUR),
        Field(
            key="serial_number",
            register=0x0035,
            words=20,
            bits=LOW_BYTE,
            kind=Kind.TEXT,
            info=Info.SERIAL_NUMBER,
            optional=True,
        ),
    ),
)
