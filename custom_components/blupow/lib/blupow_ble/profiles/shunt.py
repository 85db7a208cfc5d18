"""Smart Shunt 300: it sends frames by itself, and speaks no Modbus.

Source: a live capture, and the offsets that several readers of the same frames agree on. A frame has
110 bytes and no checksum: its tags are checked, and every value has its range.
"""

from typing import Final

from ..protocol.push import PushFrame
from .declaration import NO_SENSOR, Block, Computed, Quantity, Rule, UnitOfMeasurement
from .fields import number
from .profile import Estimate, Model, Profile

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
        number(
            "battery_current",
            10,
            UnitOfMeasurement.AMPERE,
            (-500, 500),
            0.001,
            words=2,
            bits=(0, 24),
            signed=True,
            evidence=("live capture: -8.719 A", "5000 frames that agree with the app"),
        ),
        number(
            "battery_voltage", 12, UnitOfMeasurement.VOLT, (1, 100), 0.001, words=2, bits=(0, 24)
        ),
        number("starter_voltage", 15, UnitOfMeasurement.VOLT, (0, 65), 0.001),
        number(
            "battery_percentage",
            17,
            UnitOfMeasurement.PERCENT,
            (0, 100),
            0.1,
            quantity=Quantity.BATTERY_LEVEL,
        ),
        number(
            "battery_temperature",
            33,
            UnitOfMeasurement.CELSIUS,
            _CELSIUS,
            0.1,
            signed=True,
            no_sensor=NO_SENSOR,
            evidence=_TEMPERATURES,
            optional=True,
        ),
        number(
            "battery_temperature_2",
            35,
            UnitOfMeasurement.CELSIUS,
            _CELSIUS,
            0.1,
            signed=True,
            no_sensor=NO_SENSOR,
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
