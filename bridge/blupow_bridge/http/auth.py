"""Who may use the bridge: whoever has its token, or a session of the page that was opened with it.

The token itself is stored nowhere, only its hash. It stands in no address and in no log.
"""

import hashlib
import hmac
import logging
import os
from pathlib import Path
import secrets
from time import monotonic
from typing import Final

from aiohttp import web

_LOGGER = logging.getLogger(__name__)

TOKEN_FILE: Final = "token.sha256"
COOKIE: Final = "blupow_session"
SESSION_TIME: Final = 30 * 24 * 3600.0
MOST_SESSIONS: Final = 100
BEARER: Final = "Bearer "


class Token:
    """The token of a bridge, by its hash in a file that only its user can read."""

    def __init__(self, folder: Path) -> None:
        """Keep it in a folder."""
        self._path = folder / TOKEN_FILE
        self._stamp: tuple[int, int] | None = None
        self._hash = ""
        self._problem: int | None = None
        self._sessions: dict[str, float] = {}
        """The hashes of sessions, with when they end (seconds of the monotonic clock)."""

    @property
    def exists(self) -> bool:
        """Whether one was made."""
        return self._path.exists()

    def make(self) -> str:
        """Make a new token and return it; the one before is no longer good. Raises OSError."""
        token = secrets.token_urlsafe(32)
        new = self._path.with_name(f"{TOKEN_FILE}.new")
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_text(_hash(token))
        owner = self._path.parent.stat()
        if os.geteuid() == 0:  # the bridge itself must be able to read it
            os.chown(new, owner.st_uid, owner.st_gid)
        new.replace(self._path)
        return token

    def is_good(self, token: str) -> bool:
        """Whether this is the token."""
        self._look()
        return bool(self._hash) and hmac.compare_digest(_hash(token), self._hash)

    def allows(self, request: web.Request) -> bool:
        """Whether a request may be answered."""
        given = request.headers.get("Authorization", "")
        if given.startswith(BEARER):
            return self.is_good(given.removeprefix(BEARER).strip())
        session = request.cookies.get(COOKIE)
        return session is not None and self._has_session(session) and _same_origin(request)

    def open_session(self) -> str:
        """Return a new session of the page."""
        now = monotonic()
        self._sessions = {key: end for key, end in self._sessions.items() if end > now}
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key])]
        session = secrets.token_urlsafe(32)
        self._sessions[_hash(session)] = now + SESSION_TIME
        return session

    def close_session(self, session: str | None) -> None:
        """End a session."""
        if session is not None:
            self._sessions.pop(_hash(session), None)

    def _has_session(self, session: str) -> bool:
        self._look()
        return self._sessions.get(_hash(session), float("-inf")) > monotonic()

    def _look(self) -> None:
        """Read the file where it has changed: then no session goes on."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                self._hash = self._path.read_text().strip()
                self._stamp = stamp
                self._sessions.clear()
            self._problem = None
        except FileNotFoundError:
            self._hash, self._stamp = "", None
            self._sessions.clear()
        except OSError as err:  # the one that is known stays good
            if self._problem != err.errno:
                self._problem = err.errno
                _LOGGER.warning(
                    "[route] the token cannot be read: %s: %s", self._path, err.strerror
                )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _same_origin(request: web.Request) -> bool:
    """Whether a request with a cookie comes from the bridge's own page."""
    origin = request.headers.get("Origin")
    return origin is None or origin.partition("://")[2] == request.host
