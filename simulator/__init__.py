"""A simulated BlueZ on a private D-Bus, with virtual Renogy devices on it.

For the demo and the tests. Clients cannot tell it from bluetoothd as far as bleak,
bleak-retry-connector, bluetooth-adapters and habluetooth look: the order of calls, signals and
errors is that of the real one, and so is its habit to keep the link of a client that died.
"""

from pathlib import Path
import sys

# The virtual devices live in the library; importing it by its own name spares Home Assistant's import.
LIB = Path(__file__).resolve().parent.parent / "custom_components" / "blupow" / "lib"
if str(LIB) not in sys.path:
    sys.path.append(str(LIB))
