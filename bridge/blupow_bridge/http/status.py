"""How the bridge is: for people, for containers, for Prometheus."""

from typing import Any, Final

from aiohttp import web
from blupow_ble.bridge_messages import API_VERSION
from blupow_ble.supervisor.policies import ConnectionStatus

from ..hub import Hub
from ..metrics import CONTENT_TYPE, exposition
from ..version import release
from .keys import HUB

WELL: Final = frozenset(
    {ConnectionStatus.CONNECTED, ConnectionStatus.TEST_MODE, ConnectionStatus.NOT_HEARD}
)


def identity(hub: Hub) -> dict[str, Any]:
    """Return which bridge it is."""
    return {"id": hub.id, "name": hub.config.name, "version": release(), "api": API_VERSION}


async def get_health(request: web.Request) -> web.Response:
    """Tell that the bridge runs: always 200, with how it is in the body. Needs no token, names no device."""
    hub = request.app[HUB]
    states = [device.status for device in hub.devices.values()]
    broker = None if hub.mqtt is None else hub.mqtt.connection.connected
    well = all(state in WELL for state in states) and hub.store.writer.problem is None
    return web.json_response(
        {
            "status": "ok" if well and broker is not False else "degraded",
            "devices": {state: states.count(state) for state in sorted(set(states))},
            "store": "ok" if hub.store.writer.problem is None else "waiting",
            "mqtt": None if broker is None else "ok" if broker else "not_connected",
            "uptime": round(hub.uptime),
        }
    )


async def get_ready(request: web.Request) -> web.Response:
    """Tell whether each device was read since the start, or was told as lost: 503 until then. Needs no token."""
    waiting = sum(not device.settled for device in request.app[HUB].devices.values())
    return web.json_response(
        {"ready": not waiting, "waiting": waiting}, status=503 if waiting else 200
    )


async def get_stats(request: web.Request) -> web.Response:
    """Tell which bridge it is, and how it is."""
    hub = request.app[HUB]
    problem = hub.radio.problem
    return web.json_response(
        {
            **identity(hub),
            "started": hub.started.isoformat(timespec="seconds"),
            "uptime": round(hub.uptime),
            "time_zone": hub.config.time_zone,
            "devices": len(hub.devices),
            "bluetooth": None if problem is None else problem.message,
            "store": {
                "ready": hub.store.ready,
                "problem": hub.store.writer.problem,
                "written": hub.store.writer.written,
                "waiting": hub.store.writer.waiting,
                "lost": hub.store.writer.lost,
            },
            "mqtt": _mqtt(hub),
            "push": {
                "clients": len(hub.push.subscribers),
                "dropped": hub.push.dropped,
                "sequence": hub.push.sequence,
            },
        }
    )


def _mqtt(hub: Hub) -> dict[str, Any] | None:
    """Return how the connection to the broker is; None where there is to be none."""
    if hub.mqtt is None:
        return None
    connection = hub.mqtt.connection
    return {
        "connected": connection.connected,
        "cause": None if connection.cause is None else connection.cause.value,
        "message": connection.message,
    }


async def get_metrics(request: web.Request) -> web.Response:
    """Return the metrics for Prometheus."""
    body = exposition(request.app[HUB])
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})
