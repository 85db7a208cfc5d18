"""Virtual devices: they stand in for hardware in the test mode, the simulator and the tests.

All values follow from the time alone, so that two processes that look at the same moment see the
same device.
"""

from .device import Module, VirtualBus, VirtualDevice, VirtualShunt, virtual_bus, virtual_device
from .link import FRAGMENT, VirtualLink

__all__ = [
    "FRAGMENT",
    "Module",
    "VirtualBus",
    "VirtualDevice",
    "VirtualLink",
    "VirtualShunt",
    "virtual_bus",
    "virtual_device",
]
