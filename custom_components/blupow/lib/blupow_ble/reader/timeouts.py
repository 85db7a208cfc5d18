"""How long each step of a reading may take. Pure; all times are seconds."""

from typing import Final

CONNECT_TIMEOUT: Final = 25.0
CONNECT_TIMEOUT_STEP: Final = 5.0
CONNECT_TIMEOUT_CAP: Final = 45.0
PATIENT_FAILURES: Final = 2
"""So many failures in a row leave the connect timeout as it is."""
MANUAL_CONNECT_TIMEOUT: Final = (5.0, 60.0)

CONNECT_ATTEMPTS: Final = 2
RETRY_DELAY: Final = 2.0

READ_BUDGET: Final = 15.0
"""For all blocks of one unit."""
FURTHER_UNIT_BUDGET: Final = 5.0
"""For each further unit behind the same module."""
PUSH_BUDGET: Final = 30.0
"""To wait for what a device sends by itself."""
WRITE_BUDGET: Final = 15.0
"""To read the settings before, and to change one of them and read it back."""
FURTHER_CHANGE_BUDGET: Final = 5.0
"""For each further setting."""
SHORTEST_WRITE: Final = 4.0
"""For a change, the wait for its echo, and one look at what came of it: it is not begun with less."""
READ_BACK_PAUSES: Final = (0.3, 1.2)
"""Before a setting is read back, and before it is read once more where it is not yet as it was sent.

A RIV4835CSH1S has it after 1.0 to 1.5 s (owner's write test).
"""
PROBE_TIMEOUT: Final = 1.0
"""For an answer while units are searched: real ones took 0.16 to 0.35 s (captured)."""
PROBE_BUDGET: Final = 40.0
LONGEST_DEADLINE: Final = 85.0
"""Nothing takes longer, from the start of a connection to the end of the wait for it."""

DISCONNECT_BUDGET: Final = 5.0
"""bluetoothd itself needs 2.0 to 2.6 s for a disconnect."""
PARENT_MARGIN: Final = 3.0
TERMINATE_GRACE: Final = 5.0
"""From SIGTERM to SIGKILL."""


def connect_timeout(failures: int, manual: float | None = None) -> float:
    """Return how long a connection may take after n failures: 25 25 25 40 45 45 ..., or the manual value."""
    if manual is not None:
        low, high = MANUAL_CONNECT_TIMEOUT
        return min(max(manual, low), high)
    if failures <= PATIENT_FAILURES:
        return CONNECT_TIMEOUT
    return min(CONNECT_TIMEOUT + CONNECT_TIMEOUT_STEP * failures, CONNECT_TIMEOUT_CAP)


def retry_delay(attempt: int) -> float:
    """Return the pause after the failed attempt number 1, 2, ...: 2 s, 4 s, ..."""
    return RETRY_DELAY * 2.0 ** (attempt - 1)


def read_budget(units: int, *, pushed: bool = False) -> float:
    """Return how long the reading of so many units may take, once they are connected."""
    return PUSH_BUDGET if pushed else READ_BUDGET + FURTHER_UNIT_BUDGET * (units - 1)


def write_budget(changes: int) -> float:
    """Return how long it may take to change so many settings, once they are connected."""
    return WRITE_BUDGET + FURTHER_CHANGE_BUDGET * (changes - 1)


def within_deadline(budget: float, connect: float) -> float:
    """Return a budget, cut to what a connect timeout leaves of the longest deadline."""
    return min(budget, LONGEST_DEADLINE - connect - DISCONNECT_BUDGET - PARENT_MARGIN)


def child_deadline(connect: float, budget: float = READ_BUDGET) -> float:
    """Return when a child ends itself: its connect timeout, the read budget, the time to disconnect."""
    return connect + budget + DISCONNECT_BUDGET


def parent_deadline(child: float) -> float:
    """Return when the parent stops waiting for a child that ends itself after so many seconds."""
    return child + PARENT_MARGIN
