"""The user and password for a broker: as configured, from a file, or from a command."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
import os
from pathlib import Path
import signal
from typing import Final

from ..config import MqttConfig

COMMAND_LIMIT: Final = 30.0
"""Seconds that a command may take."""


class CredentialsUnknown(Exception):
    """The password could not be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the broker is given."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)


async def read_credentials(config: MqttConfig) -> Credentials:
    """Return the credentials as they are now. Raises CredentialsUnknown."""
    if config.password is not None:
        password: str | None = config.password.get_secret_value()
    elif config.password_file is not None:
        password = await asyncio.to_thread(_read, config.password_file)
    elif config.password_command:
        password = await _run(config.password_command)
    else:
        password = None
    return Credentials(config.username, password)


def _read(path: Path) -> str:
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror if isinstance(err, OSError) else "it is no UTF-8 text"
        raise CredentialsUnknown(f"password_file {path}: {reason}") from err
    if not found:
        raise CredentialsUnknown(f"password_file {path}: it is empty")
    return found


async def _run(command: tuple[str, ...]) -> str:
    """Return the first line that a command prints. Raises CredentialsUnknown."""
    name = command[0]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as err:
        raise CredentialsUnknown(f"password_command {name}: {err.strerror}") from err
    try:
        async with asyncio.timeout(COMMAND_LIMIT):
            output, _ = await process.communicate()
    except TimeoutError as err:
        raise CredentialsUnknown(
            f"password_command {name}: took longer than {COMMAND_LIMIT:g} s"
        ) from err
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with all that it has started
            await process.wait()
    if process.returncode:
        raise CredentialsUnknown(f"password_command {name}: ended with {process.returncode}")
    lines = output.decode(errors="replace").strip().splitlines()
    if not lines:
        raise CredentialsUnknown(f"password_command {name}: printed nothing")
    return lines[0].strip()
