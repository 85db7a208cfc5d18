"""The history of a unit, page by page."""

from aiohttp import web

from ..store.history import BadCursor, Query, Resolution
from .bodies import HistoryParameters, parameters_of
from .devices import unit_of
from .keys import HUB, device_of
from .limits import ApiError


async def get_history(request: web.Request) -> web.Response:
    """Return the readings of a unit, or what they come to by hour or day; the oldest row first."""
    device, wanted = device_of(request), parameters_of(request, HistoryParameters)
    unit = unit_of(device, wanted.unit)
    start, end = wanted.span
    query = Query(
        device=device.id,
        unit=unit.key,
        start=start,
        end=end,
        fields=wanted.wanted,
        resolution=None if wanted.resolution == "auto" else Resolution(wanted.resolution),
        limit=wanted.limit,
        cursor=wanted.cursor,
    )
    try:
        rows, cursor = await request.app[HUB].store.history.page(query)
    except BadCursor as err:
        raise ApiError(400, "bad_request", "cursor: no answer of this bridge has held it") from err
    return web.json_response(
        {"resolution": query.answered_by.value, "rows": rows, "cursor": cursor}
    )
