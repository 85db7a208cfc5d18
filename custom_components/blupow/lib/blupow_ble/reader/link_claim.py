"""Who holds the link to a device: a program of ours that lives, one that died, or somebody else.

BlueZ lets any client join a link that stands, and any client end it. So a link is only taken over where a
program of ours has left it behind: each notes that it connects, in a file that only its user can read, and
takes the note back when it has disconnected. A lock on that file ends with the program, the note does not.
"""

from contextlib import suppress
import fcntl
import os
from pathlib import Path
import tempfile
from typing import Final, Self

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"blupow-links-{os.getuid()}"


def _note() -> bytes:
    """Return what is noted: no link outlasts the machine's start."""
    try:
        return _BOOT_ID.read_bytes().strip()
    except OSError:
        return b"connecting"


class ClaimedByOther(Exception):
    """Another program of ours has the device."""


class LinkClaim:
    """The claim of one program to connect to a device. Its methods block shortly: they read and write a file."""

    def __init__(self, descriptor: int | None, *, leftover: bool) -> None:
        """Keep the open file; None where no file can be kept, which claims nothing."""
        self._descriptor = descriptor
        self.leftover = leftover
        """A program of ours has connected to the device, and died before it disconnected."""

    @classmethod
    def take(cls, address: str) -> Self:
        """Claim a device. Raises ClaimedByOther while another program of ours has it."""
        try:
            descriptor = _open(address)
        except OSError:  # no place to write: then every link counts as somebody else's
            return cls(None, leftover=False)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            os.close(descriptor)
            raise ClaimedByOther from err
        return cls(descriptor, leftover=os.pread(descriptor, 64, 0) == _note())

    def note(self) -> None:
        """Note that a link is made from now on."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.pwrite(self._descriptor, _note(), 0)

    def end(self, *, disconnected: bool) -> None:
        """Give the claim back; the note stays where the link may still stand."""
        if self._descriptor is None:
            return
        with suppress(OSError):
            if disconnected:
                os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = None


def left_by_us(address: str) -> bool:
    """Whether a program of ours that no longer lives has left its link to a device. Blocks shortly."""
    try:
        claim = LinkClaim.take(address)
    except ClaimedByOther:
        return False
    claim.end(disconnected=False)
    return claim.leftover


def forget(address: str) -> None:
    """Take back the note of a program that died: its link was ended. Blocks shortly."""
    with suppress(ClaimedByOther):
        LinkClaim.take(address).end(disconnected=True)


def _open(address: str) -> int:
    """Open the file of a device, in a folder that belongs to this user alone. Raises OSError."""
    folder = _folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or folder.is_symlink() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} is not ours alone")
    return os.open(
        folder / address.upper().replace(":", "_"),
        os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC,
        0o600,
    )
