"""A private D-Bus daemon in a folder of its own."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
import shutil
from typing import Final

SOCKET: Final = "bus.sock"

_CONFIG: Final = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="signal"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
  </policy>
</busconfig>
"""


class BusError(Exception):
    """The private bus could not be started."""


def address(folder: Path) -> str:
    """Return the D-Bus address of the bus in a folder."""
    return f"unix:path={folder.absolute() / SOCKET}"


@asynccontextmanager
async def private_bus(folder: Path) -> AsyncIterator[Process]:
    """Run a D-Bus daemon with its socket in the folder. Raises BusError."""
    program = shutil.which("dbus-daemon")
    if program is None:
        raise BusError(
            "dbus-daemon was not found; on Debian and Ubuntu: apt-get install dbus-daemon"
        )
    folder.mkdir(parents=True, exist_ok=True)
    socket = folder / SOCKET
    socket.unlink(missing_ok=True)
    if len(str(socket.absolute())) > 100:
        raise BusError(
            f"{socket.absolute()} is too long for the name of a socket; use another folder"
        )
    config = folder / "bus.conf"
    config.write_text(_CONFIG.format(socket=socket.absolute()))
    log = (folder / "bus.log").open("wb")
    # in a session of its own: a Ctrl-C must not end it before its users
    daemon = await asyncio.create_subprocess_exec(
        program,
        f"--config-file={config}",
        "--nofork",
        "--nopidfile",
        "--nosyslog",
        "--print-address",
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        start_new_session=True,
    )
    try:
        assert daemon.stdout is not None
        if not await daemon.stdout.readline():  # it prints its address once it listens
            raise BusError(f"dbus-daemon ended with code {await daemon.wait()}")
        yield daemon
    finally:
        with suppress(ProcessLookupError):
            daemon.terminate()
        await daemon.wait()
        log.close()
        socket.unlink(missing_ok=True)
