"""A real Mosquitto in a folder of its own, which can be stopped, killed, frozen, and made to refuse."""

from dataclasses import dataclass, field
import os
from pathlib import Path
import shutil
import signal
import socket
import subprocess
import time
from typing import Final

from .home_assistant import free_port

START_LIMIT: Final = 20.0


class MosquittoError(Exception):
    """The broker did not start, or is not installed."""


def program(name: str) -> str:
    """Return the path of a program of Mosquitto. Raises MosquittoError."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise MosquittoError(f"{name} is needed; on Debian and Ubuntu: apt-get install mosquitto")
    return found


@dataclass
class Mosquitto:
    """A broker on this machine alone."""

    folder: Path
    port: int = field(default_factory=free_port)
    options: list[str] = field(default_factory=list)
    """Further lines of its configuration."""
    users: dict[str, str] | None = None
    """Names and passwords; None lets anybody in."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it has written."""
        return self.folder / "mosquitto.log"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it listens. Raises MosquittoError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "user root", "max_queued_messages 10000"]
        if self.users is None:
            lines.append("allow_anonymous true")
        else:
            lines += ["allow_anonymous false", f"password_file {self._write_users()}"]
        path.write_text("\n".join([*lines, *self.options, ""]))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [program("mosquitto"), "-c", str(path), "-v"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START_LIMIT
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > end:
                raise MosquittoError(f"Mosquitto did not start: {self.log.read_text()}")
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _write_users(self) -> Path:
        path = self.folder / "passwords"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        for name, password in (self.users or {}).items():
            command = [program("mosquitto_passwd"), "-b", str(path), name, password]
            subprocess.run(command, check=True, capture_output=True)
        return path

    def change_users(self, **users: str) -> None:
        """Let others in from now on; who is connected already stays. Raises MosquittoError."""
        self.users = users
        self._write_users()
        os.kill(self.pid, signal.SIGHUP)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stop it; SIGKILL kills it."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(number)
        self._process.wait()
        self._process = None

    def freeze(self) -> None:
        """Have it answer nothing any more; its connections stay."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        os.kill(self.pid, signal.SIGCONT)
