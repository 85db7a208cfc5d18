"""Smart Shunt 300: it sends frames by itself, and speaks no Modbus.

Source: a live capture, and the offsets that several readers of the same frames agree on. A frame has
110 bytes and no checksum: its tags are checked, and every value has its range.
"""

from typing import Final

from ..protocol.push import PushFrame
from .declaration import (
    NO_SENSOR,
    Block,
    Computed,
    Estimate,
    Field,
    Model,
    Profile,
    Rule,
    UnitOfMeasurement,
)

_BASE: Final = "0000{:04x}-0000-1000-8000-00805f9b34fb"

FRAME: Final = PushFrame(
    service=_BASE.format(0xC011),
    notify=_BASE.format(0xC411),
    header=bytes.fromhex("42570119"),
    stem=bytes.fromhex("425701"),
    size=110,
    tags={
        8: b"\xa0",
        12: b"\xa1",
        20: b"\xa4",
        24: b"\xa6",
        28: b"\xa6\x10",
        32: b"\xa7\x00",
    },
)

_CELSIUS: Final = (-40, 100)
_TEMPERATURES: Final = ("another project's reader of the same frames",)

SHUNT300: Final = Model(
    key="RTMShunt300",
    matches=("RTMSHUNT300", "RSHST"),
    name_prefixes=("RTMShunt300",),
    devices="Smart Shunt 300 (RSHST-B02P300)",
    source="live capture of a Smart Shunt 300",
)

SHUNT: Final = Profile(
    key="shunt",
    name="Shunt",
    units=(),
    name_prefixes=("RTMShunt300",),
    blocks=(Block(key="live", start=0, words=55, required=True),),
    # registers are the 16-bit words of a frame: the current is bytes 21-23
    fields=(
        Field(
            key="battery_current",
            register=10,
            words=2,
            bits=(0, 24),
            scale=0.001,
            signed=True,
            unit_of_measurement=UnitOfMeasurement.AMPERE,
            valid=(-500, 500),
            evidence=("live capture: -8.719 A", "5000 frames that agree with the app"),
        ),
        Field(
            key="battery_voltage",
            register=12,
            words=2,
            bits=(0, 24),
            scale=0.001,
            unit_of_measurement=UnitOfMeasurement.VOLT,
            valid=(1, 100),
        ),
        Field(
            key="starter_voltage",
            register=15,
            scale=0.001,
            unit_of_measurement=UnitOfMeasurement.VOLT,
            valid=(0, 65),
        ),
        Field(
            key="battery_percentage",
            register=17,
            scale=0.1,
            unit_of_measurement=UnitOfMeasurement.PERCENT,
            valid=(0, 100),
        ),
        Field(
            key="battery_temperature",
            register=33,
            scale=0.1,
            signed=True,
            no_sensor=NO_SENSOR,
            unit_of_measurement=UnitOfMeasurement.CELSIUS,
            valid=_CELSIUS,
            evidence=_TEMPERATURES,
            optional=True,
        ),
        Field(
            key="battery_temperature_2",
            register=35,
            scale=0.1,
            signed=True,
            no_sensor=NO_SENSOR,
            unit_of_measurement=UnitOfMeasurement.CELSIUS,
            valid=_CELSIUS,
            evidence=_TEMPERATURES,
            optional=True,
        ),
    ),
    models=(SHUNT300,),
    computed=(
        Computed(
            key="battery_power",
            rule=Rule.PRODUCT,
            of=("battery_voltage", "battery_current"),
            unit_of_measurement=UnitOfMeasurement.WATT,
            scale=0.1,
            valid=(-40_000, 40_000),
        ),
    ),
    estimates=(
        Estimate(key="battery_energy_in", power="battery_power", direction=1),
        Estimate(key="battery_energy_out", power="battery_power", direction=-1),
    ),
    push=FRAME,
)
