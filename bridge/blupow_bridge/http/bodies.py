"""What requests hold, and the one way to check it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
import json
from typing import Annotated, Any, Final, Literal, Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..setting_input import Changes
from ..store.history import DEFAULT_LIMIT, LONGEST_PAGE, Resolution
from .limits import ApiError

MOST_SPANS: Final = 20
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SessionBody(_Body):
    """Open a session of the page."""

    token: Annotated[str, Field(max_length=200)]


class SettingsBody(_Body):
    """Change settings of a unit."""

    unit: Annotated[str, Field(max_length=32)] = ""
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    changes: Changes


class FindUnitsBody(_Body):
    """Find the units behind a module."""

    unit_ids: Annotated[list[Annotated[int, Field(ge=1, le=247)]], Field(max_length=16)] = []


class SpanBody(_Body):
    """Registers that lie together."""

    start: Annotated[int, Field(ge=0, le=0xFFFF)]
    count: Annotated[int, Field(ge=1, le=100)]


class RegistersBody(_Body):
    """Read registers of a unit by number."""

    unit: Annotated[str, Field(max_length=32)] = ""
    spans: Annotated[list[SpanBody], Field(min_length=1, max_length=MOST_SPANS)]


class HistoryParameters(_Body):
    """What of the history is asked for."""

    unit: Annotated[str, Field(max_length=32)] = ""
    start: Annotated[datetime | None, Field(alias="from")] = None
    """A day before `end` by default."""
    end: Annotated[datetime | None, Field(alias="to")] = None
    """Now by default."""
    fields: Annotated[str, Field(max_length=2000)] = ""
    """Keys, parted by commas; all by default."""
    resolution: Resolution | Literal["auto"] = "auto"
    limit: Annotated[int, Field(ge=1, le=LONGEST_PAGE)] = DEFAULT_LIMIT
    cursor: Annotated[str | None, Field(max_length=64)] = None

    @field_validator("start", "end")
    @classmethod
    def _with_zone(cls, moment: datetime | None) -> datetime | None:
        if moment is None:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if not EARLIEST <= moment <= LATEST:
            raise ValueError("not between the years 2000 and 2200")
        return moment

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        start, end = self.span
        if start >= end:
            raise ValueError("`from` must be before `to`")
        return self

    @property
    def span(self) -> tuple[datetime, datetime]:
        """From when, and until when."""
        end = self.end or datetime.now(UTC)
        return self.start or end - timedelta(days=1), end

    @property
    def wanted(self) -> frozenset[str]:
        """The keys of the fields; none is all."""
        return frozenset(filter(None, (key.strip() for key in self.fields.split(","))))


async def body_of[T: BaseModel](request: web.Request, kind: type[T]) -> T:
    """Return what the body of a request holds. Raises ApiError(400)."""
    if request.content_type != "application/json":
        raise ApiError(415, "unsupported_media_type", "the body must be application/json")
    try:
        found = json.loads(await request.text())
    except (ValueError, RecursionError, LookupError) as err:
        raise ApiError(400, "bad_request", "the body is no JSON") from err
    return _checked(kind, found)


def parameters_of[T: BaseModel](request: web.Request, kind: type[T]) -> T:
    """Return what the query of a request holds. Raises ApiError(400)."""
    if len(request.query) != len(set(request.query)):
        raise ApiError(400, "bad_request", "a parameter is given twice")
    return _checked(kind, dict(request.query))


def _checked[T: BaseModel](kind: type[T], found: Mapping[str, Any] | Any) -> T:
    try:
        return kind.model_validate(found)
    except ValidationError as err:
        faults = [
            {
                "at": ".".join(str(part) for part in item["loc"]),
                "message": str(item["msg"]).removeprefix("Value error, "),
            }
            for item in err.errors(include_url=False, include_context=False, include_input=False)
        ]
        text = "; ".join(f"{fault['at'] or 'the request'}: {fault['message']}" for fault in faults)
        raise ApiError(400, "bad_request", text, faults=faults) from err
