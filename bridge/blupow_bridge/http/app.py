"""The web server: its addresses, its page, its start and its stop."""

import logging
from pathlib import Path
import ssl
from typing import Final, override

from aiohttp import web
from aiohttp.http import HttpProcessingError

from ..config import HttpConfig
from ..hub import Hub
from . import devices, history, mqtt, session, socket, status
from .auth import Token
from .keys import HUB, TOKEN
from .limits import LARGEST_BODY, middlewares
from .openapi import document

PAGE: Final = Path(__file__).resolve().parent.parent / "page"
REQUEST_LIMIT: Final = 30.0
"""Seconds within which a request must have come, and an idle connection is closed."""
STOP_LIMIT: Final = 5.0
LONGEST_LINE: Final = 128 * 1024
"""Bytes of an address; what is longer is refused before any handler sees it."""


class MalformedRequests(logging.Filter):
    """Leaves out what a client did wrong: it is told so, and the log is not for it to fill."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is of a fault of the server."""
        return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


_SERVER_LOGGER = logging.getLogger(f"{__name__}.server")
_SERVER_LOGGER.addFilter(MalformedRequests())


def application(hub: Hub, token: Token, http: HttpConfig) -> web.Application:
    """Return the application that serves a hub."""
    app = web.Application(
        client_max_size=LARGEST_BODY, middlewares=middlewares(token, http.requests_per_minute)
    )
    app[HUB], app[TOKEN] = hub, token
    app.on_shutdown.append(_let_go)
    of_device = "/api/v1/devices/{device}"
    app.add_routes(
        [
            web.get("/", _page),
            web.get("/favicon.ico", _icon),
            web.static("/page/", PAGE, append_version=False),
            web.get("/health", status.get_health),
            web.get("/ready", status.get_ready),
            web.get("/metrics", status.get_metrics),
            web.get("/api/v1/openapi.json", _openapi),
            web.get("/api/v1/session", session.get_session),
            web.post("/api/v1/session", session.post_session),
            web.delete("/api/v1/session", session.delete_session),
            web.get("/api/v1/stats", status.get_stats),
            web.get("/api/v1/devices", devices.get_devices),
            web.get(of_device, devices.get_device),
            web.get(f"{of_device}/fields", devices.get_fields),
            web.get(f"{of_device}/history", history.get_history),
            web.get(f"{of_device}/settings", devices.get_settings),
            web.post(f"{of_device}/settings", devices.post_settings),
            web.post(f"{of_device}/reconnect", devices.post_reconnect),
            web.post(f"{of_device}/find_units", devices.post_find_units),
            web.post(f"{of_device}/registers", devices.post_registers),
            web.get("/api/v1/mqtt", mqtt.get_mqtt),
            web.get("/api/v1/mqtt/asyncapi.json", mqtt.get_asyncapi),
            web.post("/api/v1/mqtt/reset_reconnect", mqtt.post_reset_reconnect),
            web.get("/api/v1/ws", socket.get_socket),
        ]
    )
    return app


async def _let_go(app: web.Application) -> None:
    """Tell the clients of the WebSocket that the bridge stops: it waits for all requests."""
    app[HUB].push.close()


async def _page(_: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE / "index.html")


async def _icon(_: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE / "icon.svg")


async def _openapi(_: web.Request) -> web.Response:
    """Return the document that describes all this."""
    return web.json_response(document())


class WebServer:
    """Serves a hub over HTTP, or HTTPS where there is a certificate."""

    def __init__(self, hub: Hub, token: Token, http: HttpConfig) -> None:
        """Prepare."""
        self._http = http
        self._runner = web.AppRunner(
            application(hub, token, http),
            access_log=None,
            logger=_SERVER_LOGGER,
            max_line_size=LONGEST_LINE,
            keepalive_timeout=REQUEST_LIMIT,
            shutdown_timeout=STOP_LIMIT,
        )

    async def start(self) -> int:
        """Begin to serve; return the port. Raises OSError, ssl.SSLError."""
        await self._runner.setup()
        context = None
        if self._http.certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self._http.certificate, self._http.key)
        site = web.TCPSite(
            self._runner,
            self._http.host,
            self._http.port,
            ssl_context=context,
        )
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        """Stop; clients are told."""
        await self._runner.cleanup()
