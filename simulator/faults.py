"""Faults that can be switched on and off while the simulator runs."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class FaultName(StrEnum):
    """What can be wrong."""

    OUT_OF_RANGE = "out_of_range"
    """Not heard; a connect waits without end."""
    HELD = "held"
    """Another phone is connected: no advertisements; a connect waits without end."""
    DEAF = "deaf"
    """Advertises, but a connect waits without end (by any adapter, unless one is named)."""
    STALE_OBJECT = "stale_object"
    """Connects fail until BlueZ has forgotten the device, and heard it anew."""
    REFUSES = "refuses"
    """Advertises, but refuses connections."""
    DROPS = "drops"
    """The link drops some time after it was made (`seconds`, 0.2)."""
    NO_SERVICES = "no_services"
    """The services are never found."""
    FEW_SERVICES = "few_services"
    """A proxy finds the first service alone, which whoever asks for it then remembers."""
    SILENT = "silent"
    """Requests are not answered."""
    SLOW = "slow"
    """Answers come late (`seconds`, 3)."""
    CORRUPT_CRC = "corrupt_crc"
    """Answers have a wrong checksum."""
    TRUNCATED = "truncated"
    """The end of an answer is missing."""
    WRONG_UNIT = "wrong_unit"
    """Another unit answers."""
    EXCEPTION = "exception"
    """Answers are Modbus exceptions (4)."""
    ADAPTER_GONE = "adapter_gone"
    """The adapter is unplugged (all adapters, unless one is named)."""


DEFAULT_SECONDS = {FaultName.DROPS: 0.2, FaultName.SLOW: 3.0}


@dataclass(slots=True)
class Fault:
    """A fault that is on: for ever, or so many times."""

    seconds: float = 0.0
    times: int | None = None
    adapter: str | None = None


class Faults:
    """The faults of one device."""

    def __init__(self) -> None:
        """Start without any."""
        self._active: dict[FaultName, Fault] = {}

    def set(
        self,
        name: FaultName,
        *,
        seconds: float | None = None,
        times: int | None = None,
        adapter: str | None = None,
    ) -> None:
        """Switch a fault on."""
        self._active[name] = Fault(
            DEFAULT_SECONDS.get(name, 0.0) if seconds is None else seconds, times, adapter
        )

    def clear(self, name: FaultName | None = None) -> None:
        """Switch a fault off, or all of them."""
        if name is None:
            self._active.clear()
        else:
            self._active.pop(name, None)

    def has(self, *names: FaultName, adapter: str | None = None) -> bool:
        """Whether one of these faults is on, for that adapter; nothing is used up."""
        active = [self._active[name] for name in names if name in self._active]
        return any(fault.adapter in (None, adapter) for fault in active)

    def take(self, name: FaultName) -> Fault | None:
        """Return a fault if it strikes now, and count it."""
        fault = self._active.get(name)
        if fault is not None and fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                del self._active[name]
        return fault

    def as_dict(self) -> dict[str, Any]:
        """Return the faults for a report."""
        return {name: asdict(fault) for name, fault in self._active.items()}
