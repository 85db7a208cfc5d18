"""What the values of an inverter can be at most: what is beyond is dropped."""

from typing import Final

AC_VOLTS: Final = (0, 300)
AC_AMPERES: Final = (0, 100)
HERTZ: Final = (0, 70)
BATTERY_VOLTS: Final = (0, 80)
BATTERY_AMPERES: Final = (-500, 500)
WATTS: Final = (0, 20_000)
CELSIUS: Final = (-40, 150)
PERCENT: Final = (0, 100)
MOST_KILOWATTS: Final = 20.0
MOST_AMPERES: Final = 500.0
