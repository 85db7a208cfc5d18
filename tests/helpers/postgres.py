"""A real PostgreSQL server in a folder of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import pwd
import shutil
import subprocess
import tempfile

from simulator.home_assistant import free_port


def programs() -> Path:
    """Return the folder of the newest server's programs. Raises FileNotFoundError."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))
    if found:
        return found[-1]
    if (path := shutil.which("initdb")) is not None:
        return Path(path).resolve().parent
    raise FileNotFoundError(
        "PostgreSQL is needed; on Debian and Ubuntu: apt-get install postgresql"
    )


class PostgresServer:
    """A server that can be stopped and started."""

    def __init__(self, folder: Path, port: int) -> None:
        """Keep where it is."""
        self.folder = folder
        self.port = port

    @property
    def url(self) -> str:
        """Its database."""
        return f"postgresql://blupow@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL, as a user who may: root may not."""
        command = [str(programs() / program), *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # what the server inherits must not keep a test from ending
        subprocess.run(
            command,
            check=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c fsync=off"
        log = self.folder / "server.log"
        self.run(
            "pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", str(log), "-o", options, "start"
        )

    def stop(self) -> None:
        """Stop it at once; who is connected is cut off."""
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", "immediate", "stop")

    def execute(self, statement: str) -> None:
        """Run SQL."""
        url = f"postgresql://blupow@127.0.0.1:{self.port}/postgres"
        self.run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement)


@contextmanager
def postgres() -> Iterator[PostgresServer]:
    """Run a server."""
    folder = Path(tempfile.mkdtemp(prefix="blupow-postgres-", dir="/tmp"))
    server = PostgresServer(folder, free_port())
    if os.getuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    try:
        data = str(folder / "data")
        server.run("initdb", "-D", data, "-U", "blupow", "-A", "trust", "-E", "UTF8", "--no-sync")
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
