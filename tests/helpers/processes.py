"""Looks at real processes from outside."""

from contextlib import suppress
import os
from pathlib import Path

READER = b"blupow_ble"


def readers_on(bus_address: str) -> list[int]:
    """Return the reader processes that use a bus."""
    found = []
    wanted = f"DBUS_SYSTEM_BUS_ADDRESS={bus_address}".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        with suppress(OSError):  # it has just ended
            command = (folder / "cmdline").read_bytes().split(b"\0")
            if READER in command and wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def memory(pid: int | str = "self") -> int:
    """Return the resident memory of a process in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


def descriptors(pid: int | str = "self") -> int:
    """Return how many file descriptors a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def children() -> set[int]:
    """Return the processes that this one has started, and has not collected."""
    found = set()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        with suppress(OSError):  # it has just ended
            # the name of the program may hold blanks and parentheses
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.add(int(folder.name))
    return found
