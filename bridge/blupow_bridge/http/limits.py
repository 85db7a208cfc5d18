"""What every request meets first: limits, the check of the token, and the form of each error."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
import logging
from time import monotonic
from typing import Any, Final

from aiohttp import web

from ..store.engine import DATABASE_ERRORS
from .auth import Token

_LOGGER = logging.getLogger(__name__)

LARGEST_BODY: Final = 64 * 1024
FAILURES_PER_MINUTE: Final = 20
"""Wrong tokens of one client."""
MOST_CLIENTS: Final = 10_000
PUBLIC: Final = frozenset(
    {"/", "/health", "/ready", "/api/v1/openapi.json", "/api/v1/session", "/favicon.ico"}
)
PUBLIC_FOLDER: Final = "/page/"
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiError(Exception):
    """A request that is refused, with a code for programs and a sentence for people."""

    def __init__(self, status: int, code: str, message: str, **facts: Any) -> None:
        """Keep what is answered."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.facts = facts


@dataclass(slots=True)
class Bucket:
    """The tokens that a client has left; they come back over a minute."""

    size: float
    left: float = field(init=False)
    at: float = field(init=False)

    def __post_init__(self) -> None:
        """Start full."""
        self.left, self.at = self.size, monotonic()

    def take(self) -> bool:
        """Take one; return whether there was one."""
        now = monotonic()
        self.left = min(self.size, self.left + (now - self.at) * self.size / 60)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class RateLimit:
    """Counts the requests of each client address."""

    def __init__(self, per_minute: int) -> None:
        """Allow so many a minute."""
        self._size = float(per_minute)
        self._buckets: dict[str, Bucket] = {}

    def take(self, client: str) -> bool:
        """Count one; return whether it is still allowed."""
        if len(self._buckets) >= MOST_CLIENTS:
            self._buckets.clear()
        return self._buckets.setdefault(client, Bucket(self._size)).take()


def error_response(status: int, code: str, message: str, **facts: Any) -> web.Response:
    """Return an error as all errors look."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if status == 429:
        headers["Retry-After"] = "60"
    body = {"error": {"code": code, "message": message, **facts}}
    return web.json_response(body, status=status, headers=headers)


def public_page(request: web.Request) -> bool:
    """Whether a part of the page is asked for."""
    return request.path == "/" or request.path.startswith(PUBLIC_FOLDER)


_CODES: Final = {
    400: ("bad_request", "the request is malformed"),
    404: ("not_found", "there is nothing at this address"),
    405: ("method_not_allowed", "this address does not take that method"),
    413: ("too_large", f"the body is larger than {LARGEST_BODY} bytes"),
}


def middlewares(token: Token, per_minute: int) -> list[Any]:
    """Return what stands before all handlers, the outermost first."""
    limit, failures = RateLimit(per_minute), RateLimit(FAILURES_PER_MINUTE)

    @web.middleware
    async def secured(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await answered(request, handler)
        if not response.prepared:
            response.headers.update(HEADERS)
            if request.path.startswith("/api/"):
                response.headers["Cache-Control"] = "no-store"
            elif public_page(request):
                response.headers["Cache-Control"] = "no-cache"  # its parts belong together
        return response

    async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
        client = request.remote or ""
        if not limit.take(client):
            text = f"more than {per_minute} requests within a minute"
            return error_response(429, "too_many_requests", text)
        public = request.path in PUBLIC or public_page(request)
        if not public and not token.allows(request):
            if not failures.take(client):
                text = "too many requests without a token that is right"
                return error_response(429, "too_many_requests", text)
            text = "a token is needed: `Authorization: Bearer ...`; `blupow-bridge token` makes one"
            return error_response(401, "unauthorized", text)
        return await handled(request, handler)

    async def handled(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiError as err:
            return error_response(err.status, err.code, err.message, **err.facts)
        except web.HTTPException as err:
            if err.status < 400:
                raise
            code, message = _CODES.get(err.status, ("refused", err.reason))
            return error_response(err.status, code, message)
        except DATABASE_ERRORS as err:
            _LOGGER.debug("[store] a request for the history failed: %s", err)
            text = "the database does not answer; readings go on, and wait for it"
            return error_response(503, "store_unavailable", text)

    return [secured]
