"""The control socket: what the command line asks of a bridge that runs on the same machine.

It is a file in the data folder, which only the bridge's user can open: no token is needed.
"""

from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from ..hub import Hub
from . import mqtt
from .keys import HUB
from .limits import ApiError, error_response

SOCKET: Final = "control.sock"
ANSWER_LIMIT: Final = 10.0


class NotRunning(Exception):
    """No bridge of this configuration runs here; the text says so."""


class ControlRefused(Exception):
    """The bridge does not do it; the text says why."""


class ControlServer:
    """Serves the control socket."""

    def __init__(self, hub: Hub) -> None:
        """Serve a hub."""
        app = web.Application(middlewares=[_errors])
        app[HUB] = hub
        app.add_routes(
            [
                web.get("/mqtt", mqtt.get_mqtt),
                web.post("/mqtt/reset_reconnect", mqtt.post_reset_reconnect),
            ]
        )
        self._path = hub.config.data / SOCKET
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def start(self) -> None:
        """Begin to serve. Raises OSError."""
        await self._runner.setup()
        await web.UnixSite(self._runner, self._path).start()
        self._path.chmod(0o600)

    async def stop(self) -> None:
        """Stop."""
        await self._runner.cleanup()


@web.middleware
async def _errors(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except ApiError as err:
        return error_response(err.status, err.code, err.message)
    return response


async def ask(data: Path, method: str, path: str) -> Any:
    """Ask the bridge that runs with a data folder; return its answer. Raises NotRunning, ControlRefused."""
    connector = aiohttp.UnixConnector(str(data / SOCKET))
    timeout = aiohttp.ClientTimeout(total=ANSWER_LIMIT)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        try:
            async with session.request(method, f"http://bridge{path}") as response:
                answer = await response.json()
        except (aiohttp.ClientError, TimeoutError, OSError) as err:
            raise NotRunning(f"no bridge runs with the data in {data}") from err
        if response.status >= 400:
            raise ControlRefused(answer["error"]["message"])
        return answer
