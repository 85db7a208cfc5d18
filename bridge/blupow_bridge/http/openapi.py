"""The OpenAPI 3.1 document of the web server: made from the same declarations that check the requests."""

from collections.abc import Mapping
from typing import Any, Final

from blupow_ble.bridge_messages import API_VERSION
from blupow_ble.protocol.errors import ErrorCode, Stage
from blupow_ble.reader.result import Outcome
from blupow_ble.supervisor.policies import ConnectionStatus
from blupow_ble.supervisor.reconnection import Strategy
from pydantic import BaseModel

from ..mqtt.causes import Cause
from ..mqtt.diagnostics import EventKind
from ..version import release
from .bodies import FindUnitsBody, HistoryParameters, RegistersBody, SessionBody, SettingsBody

type Schema = dict[str, Any]


def _object(required: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(required), "required": list(required)}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _map(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _enum(values: Any) -> Schema:
    return {"type": "string", "enum": [item.value for item in values]}


TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
WHOLE: Final[Schema] = {"type": "integer"}
YES_NO: Final[Schema] = {"type": "boolean"}
SECONDS: Final[Schema] = {"type": "number", "minimum": 0, "description": "seconds"}
VALUE: Final[Schema] = {
    "anyOf": [NUMBER, TEXT, YES_NO, _list(TEXT)],
    "description": "as the device sent it",
}
SETTING_VALUE: Final[Schema] = {"anyOf": [NUMBER, TEXT, YES_NO, {"type": "null"}]}

SCHEMAS: Final[dict[str, Schema]] = {
    "Error": _object({"error": _object({"code": TEXT, "message": TEXT})}),
    "UnitReading": _object(
        {
            "unit_id": _maybe(WHOLE),
            "model": _maybe(TEXT),
            "values": _map(VALUE),
            "failed": _map(_enum(ErrorCode)),
            "dropped": _list(TEXT),
            "unknown": _map(WHOLE),
            "registers": _map(_list(WHOLE)),
        }
    ),
    "Finding": _object(
        {
            "unit_id": _maybe(WHOLE),
            "profile": TEXT,
            "model": _maybe(TEXT),
            "model_text": _maybe(TEXT),
            "serial_number": _maybe(TEXT),
        }
    ),
    "Reading": _object(
        {
            "units": _map(_ref("UnitReading")),
            "unresponsive": _map(_enum(ErrorCode)),
            "found": _list(_ref("Finding")),
            "timings": _object({"connect": SECONDS, "read": SECONDS}),
            "attempts": WHOLE,
            "reading_id": TEXT,
            "source": TEXT,
            "seconds": SECONDS,
            "age": SECONDS,
        }
    ),
    "Failure": _object(
        {
            "code": _enum(ErrorCode),
            "stage": _enum(Stage),
            "message": TEXT,
            "seconds": SECONDS,
            "age": SECONDS,
        }
    ),
    "State": _object(
        {
            "status": _enum(ConnectionStatus),
            "rssi": _maybe(WHOLE),
            "failures": WHOLE,
            "recoveries": WHOLE,
            "failed_recoveries": WHOLE,
            "success_rate": _maybe(NUMBER),
            "average_duration": _maybe(NUMBER),
            "polls": WHOLE,
        }
    ),
    "Device": _object(
        {
            "id": TEXT,
            "address": TEXT,
            "name": TEXT,
            "virtual": YES_NO,
            "update_interval": WHOLE,
            "may_be_off": YES_NO,
            "allow_changes": YES_NO,
            "units": _list(
                _object(
                    {
                        "key": TEXT,
                        "profile": TEXT,
                        "model": _maybe(TEXT),
                        "unit_id": _maybe(WHOLE),
                        "serial_number": _maybe(TEXT),
                    }
                )
            ),
            "state": _ref("State"),
            "reading": _maybe(_ref("Reading")),
            "failure": _maybe(_ref("Failure")),
        }
    ),
    "Fields": _object(
        {
            "units": _list(
                _object(
                    {
                        "key": TEXT,
                        "profile": TEXT,
                        "name": TEXT,
                        "model": _maybe(TEXT),
                        "fields": _list(
                            _object(
                                {
                                    "key": TEXT,
                                    "unit_of_measurement": _maybe(TEXT),
                                    "kind": TEXT,
                                    "counter": _maybe(TEXT),
                                    "diagnostic": YES_NO,
                                }
                            )
                        ),
                    }
                )
            )
        }
    ),
    "Settings": _object(
        {
            "allow_changes": YES_NO,
            "units": _list(
                _object(
                    {
                        "key": TEXT,
                        "settings": _list(
                            _object(
                                {
                                    "key": TEXT,
                                    "kind": TEXT,
                                    "value": SETTING_VALUE,
                                    "evidence": TEXT,
                                    "unit_of_measurement": _maybe(TEXT),
                                    "low": _maybe(NUMBER),
                                    "high": _maybe(NUMBER),
                                    "step": _maybe(NUMBER),
                                    "choices": _maybe(_list(TEXT)),
                                }
                            )
                        ),
                    }
                )
            ),
        }
    ),
    "SettingsReport": _object(
        {
            "settings": _list(
                _object(
                    {
                        "key": TEXT,
                        "outcome": _enum(Outcome),
                        "wanted": SETTING_VALUE,
                        "before": SETTING_VALUE,
                        "now": SETTING_VALUE,
                        "sent": YES_NO,
                        "reason": _maybe(TEXT),
                        "facts": _map(TEXT),
                    }
                )
            ),
            "registers": _map(WHOLE),
            "timings": _object({"connect": SECONDS, "read": SECONDS}),
            "attempts": WHOLE,
        }
    ),
    "History": _object(
        {
            "resolution": {"type": "string", "enum": ["raw", "hour", "day"]},
            "rows": _list(
                _object(
                    {"at": {"type": "string", "format": "date-time"}, "values": {"type": "object"}}
                )
            ),
            "cursor": _maybe(TEXT),
        }
    ),
    "Stats": _object(
        {
            "id": TEXT,
            "name": TEXT,
            "version": TEXT,
            "api": WHOLE,
            "started": {"type": "string", "format": "date-time"},
            "uptime": WHOLE,
            "time_zone": TEXT,
            "devices": WHOLE,
            "bluetooth": _maybe(TEXT),
            "store": _object(
                {
                    "ready": YES_NO,
                    "problem": _maybe(TEXT),
                    "written": WHOLE,
                    "waiting": WHOLE,
                    "lost": WHOLE,
                }
            ),
            "mqtt": _maybe(
                _object({"connected": YES_NO, "cause": _maybe(_enum(Cause)), "message": TEXT})
            ),
            "push": _object({"clients": WHOLE, "dropped": WHOLE, "sequence": WHOLE}),
        }
    ),
    "Mqtt": _object(
        {
            "broker": TEXT,
            "connected": YES_NO,
            "protocol": _maybe({"type": "string", "enum": ["5", "3.1.1"]}),
            "cause": _maybe(_enum(Cause)),
            "message": TEXT,
            "strategy": {"type": "integer", "enum": [item.value for item in Strategy]},
            "reconnection_failed": YES_NO,
            "next_attempt_in": _maybe(SECONDS),
            "published": WHOLE,
            "refused": WHOLE,
            "waiting": WHOLE,
            "dropped": _object({"full": WHOLE, "expired": WHOLE}),
            "commands": _map(WHOLE),
            "connections": WHOLE,
            "sessions": _object(
                {
                    "ended": WHOLE,
                    "average": _maybe(SECONDS),
                    "shortest": _maybe(SECONDS),
                    "longest": _maybe(SECONDS),
                }
            ),
            "drops": _map(WHOLE),
            "failed_attempts": _map(WHOLE),
            "reconnections_failed": WHOLE,
            "recoveries": WHOLE,
            "events": _list(
                _object(
                    {
                        "at": {"type": "string", "format": "date-time"},
                        "event": _enum(EventKind),
                        "cause": _maybe(_enum(Cause)),
                        "message": TEXT,
                        "attempt": WHOLE,
                        "recovery": WHOLE,
                        "seconds": _maybe(SECONDS),
                    }
                )
            ),
        }
    ),
    "Health": _object(
        {
            "status": {"type": "string", "enum": ["ok", "degraded"]},
            "devices": _map(WHOLE),
            "store": {"type": "string", "enum": ["ok", "waiting"]},
            "mqtt": _maybe({"type": "string", "enum": ["ok", "not_connected"]}),
            "uptime": WHOLE,
        }
    ),
    "Ready": _object({"ready": YES_NO, "waiting": WHOLE}),
    "Session": _object({"open": YES_NO}),
}

_TEXTS: Final = {
    400: "The request is malformed.",
    401: "A token is needed.",
    403: "The configuration does not allow it.",
    404: "There is no such thing.",
    409: "The device could not do it: the code and the message say why.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    429: "Too many requests.",
    503: "The database does not answer.",
}


def _error(status: int) -> Schema:
    return {
        "description": _TEXTS[status],
        "content": {"application/json": {"schema": _ref("Error")}},
    }


def _operation(
    summary: str,
    answer: Schema,
    *,
    errors: tuple[int, ...] = (),
    public: bool = False,
    device: bool = False,
    body: type[BaseModel] | None = None,
    parameters: list[Schema] | None = None,
) -> Schema:
    errors = (*errors, 429, *(() if public else (401,)), *((404,) if device else ()))
    if body is not None:
        errors = (*errors, 400, 413, 415)
    operation: Schema = {
        "summary": summary,
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": answer}}},
            **{str(status): _error(status) for status in sorted(set(errors))},
        },
        "parameters": [*([DEVICE] if device else []), *(parameters or [])],
    }
    if public:
        operation["security"] = []
    if body is not None:
        schema = body.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return operation


DEVICE: Final[Schema] = {
    "name": "device",
    "in": "path",
    "required": True,
    "description": "The id of a device, as `/api/v1/devices` lists it.",
    "schema": {"type": "string", "pattern": "^[a-z0-9_]{1,64}$"},
}


def _history_parameters() -> list[Schema]:
    schema = HistoryParameters.model_json_schema(ref_template="#/components/schemas/{model}")
    texts = {
        "unit": "The key of a unit; empty is the device's own.",
        "from": "The beginning; a day before the end by default.",
        "to": "The end, which is not in the answer; now by default.",
        "fields": "Keys, parted by commas; all by default.",
        "resolution": "How much is in one row; by default, the longer the span the more.",
        "limit": "Rows in one answer.",
        "cursor": "Of the answer before, to get the next rows.",
    }
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": texts[name],
            "schema": _simple(found),
        }
        for name, found in schema["properties"].items()
    ]


def _simple(schema: Schema) -> Schema:
    """Return the schema of a parameter: one that is left out is absent, not null."""
    found = {
        key: value
        for key, value in schema.items()
        if key not in ("title", "default", "description")
    }
    if "anyOf" in found:
        options = [item for item in found.pop("anyOf") if item.get("type") != "null"]
        if any("$ref" in item for item in options):
            return {"type": "string", "enum": ["auto", "raw", "hour", "day"]}
        found |= options[0]
    return found


def document() -> Schema:
    """Return the document."""
    spans = RegistersBody.model_json_schema(ref_template="#/components/schemas/{model}")["$defs"]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BluPow bridge",
            "version": release(),
            "description": f"API version {API_VERSION}. Moments cross the network as ages in seconds, "
            "except in the history.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": {
            "/health": {"get": _operation("How the bridge is", _ref("Health"), public=True)},
            "/ready": {
                "get": {
                    **_operation("Whether each device was read", _ref("Ready"), public=True),
                    "responses": {
                        **{
                            status: {
                                "description": text,
                                "content": {"application/json": {"schema": _ref("Ready")}},
                            }
                            for status, text in (("200", "Each was."), ("503", "Not yet."))
                        },
                        "429": _error(429),
                    },
                }
            },
            "/metrics": {
                "get": {
                    "summary": "Metrics for Prometheus",
                    "responses": {
                        "200": {
                            "description": "Done.",
                            "content": {"text/plain": {"schema": TEXT}},
                        },
                        "401": _error(401),
                        "429": _error(429),
                    },
                }
            },
            "/api/v1/openapi.json": {
                "get": _operation("This document", {"type": "object"}, public=True)
            },
            "/api/v1/session": {
                "get": _operation("Whether the page has a session", _ref("Session"), public=True),
                "post": _operation(
                    "Open a session of the page",
                    _ref("Session"),
                    public=True,
                    errors=(401,),
                    body=SessionBody,
                ),
                "delete": _operation("Close the session", _ref("Session"), public=True),
            },
            "/api/v1/stats": {
                "get": _operation("Which bridge it is, and how it is", _ref("Stats"))
            },
            "/api/v1/devices": {
                "get": _operation("All devices", _object({"devices": _list(_ref("Device"))}))
            },
            "/api/v1/devices/{device}": {
                "get": _operation("One device", _ref("Device"), device=True)
            },
            "/api/v1/devices/{device}/fields": {
                "get": _operation("What its values are", _ref("Fields"), device=True)
            },
            "/api/v1/devices/{device}/history": {
                "get": _operation(
                    "The history of a unit",
                    _ref("History"),
                    device=True,
                    errors=(400, 503),
                    parameters=_history_parameters(),
                )
            },
            "/api/v1/devices/{device}/settings": {
                "get": _operation("Its settings", _ref("Settings"), device=True),
                "post": _operation(
                    "Change settings of a unit",
                    _ref("SettingsReport"),
                    device=True,
                    errors=(403, 409),
                    body=SettingsBody,
                ),
            },
            "/api/v1/devices/{device}/reconnect": {
                "post": _operation(
                    "Reconnect now, by all steps of a recovery",
                    _object({"step": _maybe(WHOLE), "seconds": SECONDS}),
                    device=True,
                    errors=(409,),
                )
            },
            "/api/v1/devices/{device}/find_units": {
                "post": _operation(
                    "Find all units behind a module",
                    _object({"units": _list(_ref("Finding"))}),
                    device=True,
                    errors=(409,),
                    body=FindUnitsBody,
                )
            },
            "/api/v1/devices/{device}/registers": {
                "post": _operation(
                    "Read registers by number",
                    _object({"unit": _ref("UnitReading")}),
                    device=True,
                    errors=(409,),
                    body=RegistersBody,
                )
            },
            "/api/v1/mqtt": {
                "get": _operation(
                    "How the connection to the broker is, and was", _ref("Mqtt"), errors=(404,)
                )
            },
            "/api/v1/mqtt/asyncapi.json": {
                "get": _operation(
                    "The AsyncAPI document of the topics and messages",
                    {"type": "object"},
                    errors=(404,),
                )
            },
            "/api/v1/mqtt/reset_reconnect": {
                "post": _operation(
                    "Connect to the broker now, with a new client and credentials read again",
                    _object({"broker": TEXT, "connected": YES_NO}),
                    errors=(404,),
                )
            },
            "/api/v1/ws": {
                "get": {
                    "summary": "The WebSocket: all devices, then each reading and event as it comes",
                    "parameters": [
                        {
                            "name": name,
                            "in": "query",
                            "description": text,
                            "schema": {"type": "string", "maxLength": 32},
                        }
                        for name, text in (
                            ("instance", "Of the `hello` before, to get what was missed."),
                            ("after", "The last sequence number that was received."),
                        )
                    ],
                    "responses": {
                        "101": {"description": "It is open."},
                        "400": _error(400),
                        "401": _error(401),
                        "429": _error(429),
                    },
                }
            },
        },
        "components": {
            "schemas": SCHEMAS | spans,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }
