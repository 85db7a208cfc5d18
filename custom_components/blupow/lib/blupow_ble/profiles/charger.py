"""What charge controllers and DC-DC chargers share: who they are, and what they are set to.

Sources: the vendor's ROVER register document and controller protocol V1.7.
"""

from collections.abc import Mapping
from typing import Final

from .declaration import (
    HIGH_BYTE,
    LOW_BYTE,
    Counter,
    Field,
    Info,
    Kind,
    Quantity,
    Span,
    UnitOfMeasurement,
)
from .fields import number, setting

BATTERY_TYPE: Final = {0: "user", 1: "flooded", 2: "sealed", 3: "gel", 4: "lithium"}
"""What all models have in common."""
ROVER_BATTERY_TYPE: Final = BATTERY_TYPE | {5: "user_locked"}
BOOST_BATTERY_TYPE: Final = BATTERY_TYPE | {5: "lithium_36_v", 6: "lithium_48_v"}

SYSTEM_VOLTAGE: Final = {
    12: "12_v",
    24: "24_v",
    36: "36_v",
    48: "48_v",
    96: "96_v",
    255: "automatic",
}

AMPERES: Final = (0, 200)

IDENTITY_FIELDS: Final = (
    Field(key="device_id", register=0x001A, bits=LOW_BYTE, valid=(1, 247), setting=True),
    Field(key="model", register=0x000C, words=8, kind=Kind.TEXT, info=Info.MODEL),
    Field(
        key="version",
        register=0x0014,
        words=2,
        kind=Kind.VERSION,
        info=Info.VERSION,
        optional=True,
    ),
    Field(
        key="hardware_version",
        register=0x0016,
        words=2,
        kind=Kind.VERSION,
        info=Info.HARDWARE_VERSION,
        optional=True,
    ),
    Field(
        key="serial_number",
        register=0x0018,
        words=2,
        kind=Kind.HEX,
        info=Info.SERIAL_NUMBER,
        optional=True,
    ),
    number(
        "maximum_system_voltage",
        0x000A,
        UnitOfMeasurement.VOLT,
        (12, 96),
        bits=HIGH_BYTE,
        optional=True,
        setting=True,
        advanced=True,
    ),
    number(
        "rated_charging_current",
        0x000A,
        UnitOfMeasurement.AMPERE,
        AMPERES,
        bits=LOW_BYTE,
        optional=True,
        setting=True,
        advanced=True,
    ),
)


def battery_type(names: Mapping[int, str]) -> Field:
    """Return the field of the battery type, by the names that a model has for it."""
    return Field(
        key="battery_type",
        register=0xE004,
        kind=Kind.ENUM,
        names=names,
        optional=True,
        setting=True,
    )


# Voltages are those of a 12 V battery: a 24 V system has twice as much.
SETTINGS: Final = (
    setting("battery_capacity", 0xE002, UnitOfMeasurement.AMPERE_HOUR, 65535),
    Field(
        key="system_voltage_setting",
        register=0xE003,
        bits=HIGH_BYTE,
        kind=Kind.ENUM,
        names=SYSTEM_VOLTAGE,
        optional=True,
        setting=True,
        advanced=True,
    ),
    battery_type(BATTERY_TYPE),
    setting("over_voltage_threshold", 0xE005, UnitOfMeasurement.VOLT, 20, 0.1, advanced=True),
    setting("charging_limit_voltage", 0xE006, UnitOfMeasurement.VOLT, 20, 0.1, advanced=True),
    setting("equalization_voltage", 0xE007, UnitOfMeasurement.VOLT, 20, 0.1, advanced=True),
    setting("boost_voltage", 0xE008, UnitOfMeasurement.VOLT, 20, 0.1, advanced=True),
    setting("float_voltage", 0xE009, UnitOfMeasurement.VOLT, 20, 0.1, advanced=True),
    setting("boost_recovery_voltage", 0xE00A, UnitOfMeasurement.VOLT, 20, 0.1, advanced=True),
    setting(
        "over_discharge_recovery_voltage", 0xE00B, UnitOfMeasurement.VOLT, 20, 0.1, advanced=True
    ),
    setting("under_voltage_warning_level", 0xE00C, UnitOfMeasurement.VOLT, 20, 0.1, advanced=True),
    setting("over_discharge_voltage", 0xE00D, UnitOfMeasurement.VOLT, 20, 0.1, advanced=True),
    setting("discharge_limit_voltage", 0xE00E, UnitOfMeasurement.VOLT, 20, 0.1, advanced=True),
    setting("over_discharge_delay", 0xE010, UnitOfMeasurement.SECOND, 600, advanced=True),
    setting("equalization_time", 0xE011, UnitOfMeasurement.MINUTE, 600, advanced=True),
    setting("boost_time", 0xE012, UnitOfMeasurement.MINUTE, 600, advanced=True),
    setting("equalization_interval", 0xE013, UnitOfMeasurement.DAY, 255, advanced=True),
    setting("temperature_compensation", 0xE014, None, 10, advanced=True),
)


def battery_fields(
    volts: tuple[float, float], celsius: tuple[float, float], evidence: tuple[str, ...]
) -> tuple[Field, ...]:
    """Return what is measured of the battery, and the temperatures.

    These are sign and magnitude: two's complement would show -1 as -127 (an owner's report).
    """
    return (
        number(
            "battery_percentage",
            0x0100,
            UnitOfMeasurement.PERCENT,
            (0, 100),
            quantity=Quantity.BATTERY_LEVEL,
        ),
        number("battery_voltage", 0x0101, UnitOfMeasurement.VOLT, volts, 0.1),
        number("charging_current", 0x0102, UnitOfMeasurement.AMPERE, AMPERES, 0.01),
        *(
            number(
                key,
                0x0103,
                UnitOfMeasurement.CELSIUS,
                celsius,
                bits=byte,
                sign_magnitude=True,
                evidence=evidence,
            )
            for key, byte in (("temperature", HIGH_BYTE), ("battery_temperature", LOW_BYTE))
        ),
    )


def extremes_today(volts: tuple[float, float], watts: tuple[float, float]) -> tuple[Field, ...]:
    """Return the extremes of the day."""
    return (
        number(
            "minimum_battery_voltage_today",
            0x010B,
            UnitOfMeasurement.VOLT,
            volts,
            0.1,
            advanced=True,
        ),
        number(
            "maximum_battery_voltage_today",
            0x010C,
            UnitOfMeasurement.VOLT,
            volts,
            0.1,
            advanced=True,
        ),
        number(
            "maximum_charging_current_today",
            0x010D,
            UnitOfMeasurement.AMPERE,
            AMPERES,
            0.01,
            advanced=True,
        ),
        number(
            "maximum_charging_power_today", 0x010F, UnitOfMeasurement.WATT, watts, advanced=True
        ),
    )


COUNTS: Final = (
    Field(
        key="operating_days",
        register=0x0115,
        unit_of_measurement=UnitOfMeasurement.DAY,
        valid=(0, 20 * 366),
        counter=Counter.EVENTS,
        advanced=True,
    ),
    Field(key="over_discharges", register=0x0116, counter=Counter.EVENTS, advanced=True),
    Field(key="full_charges", register=0x0117, counter=Counter.EVENTS, advanced=True),
)

# Block 0xF000 + n is the day n days ago, of ten words (ROVER 3.2).
DAY_SPANS: Final = tuple(Span(start=0xF000 + day, words=10) for day in range(8))
