"""The session of the page: opened with the token, kept by a cookie that no script can read."""

from aiohttp import web

from .auth import COOKIE, SESSION_TIME
from .bodies import SessionBody, body_of
from .keys import TOKEN
from .limits import ApiError


async def get_session(request: web.Request) -> web.Response:
    """Tell whether the page has a session."""
    return web.json_response({"open": request.app[TOKEN].allows(request)})


async def post_session(request: web.Request) -> web.Response:
    """Open a session of the page."""
    token = request.app[TOKEN]
    body = await body_of(request, SessionBody)
    if not token.is_good(body.token.strip()):
        raise ApiError(401, "unauthorized", "this is not the token of the bridge")
    response = web.json_response({"open": True})
    response.set_cookie(
        COOKIE,
        token.open_session(),
        max_age=int(SESSION_TIME),
        httponly=True,
        samesite="Strict",
        secure=request.secure,
        path="/",
    )
    return response


async def delete_session(request: web.Request) -> web.Response:
    """Close the session of the page."""
    request.app[TOKEN].close_session(request.cookies.get(COOKIE))
    response = web.json_response({"open": False})
    response.del_cookie(COOKIE, path="/")
    return response
