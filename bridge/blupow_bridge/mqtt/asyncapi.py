"""The AsyncAPI 3.0 document of the topics and messages: made from the declarations that check and make them."""

from collections.abc import Mapping
from typing import Any, Final

from blupow_ble.profiles import PROFILES, presentation
from blupow_ble.protocol.errors import ErrorCode
from blupow_ble.reader.result import Outcome
from blupow_ble.supervisor.policies import ConnectionStatus
from blupow_ble.supervisor.protocols import LinkEvent

from ..version import release
from .commands import ReconnectCommand, SetCommand
from .discovery import ANSWERS
from .publisher import OFFLINE, ONLINE
from .topics import Topics

type Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
WHOLE: Final[Schema] = {"type": "integer"}
MAYBE_TEXT: Final[Schema] = {"type": ["string", "null"]}
MAYBE_SECONDS: Final[Schema] = {"type": ["number", "null"], "minimum": 0}
PERCENT: Final[Schema] = {"type": ["number", "null"], "minimum": 0, "maximum": 100}
MOMENT: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
VALUE: Final[Schema] = {
    "type": ["number", "string", "boolean", "null"],
    "description": "As the device sent it, in the unit of measurement that the discovery names; "
    "null is unknown.",
}


def _object(required: Mapping[str, Schema], **more: Any) -> Schema:
    properties = dict(required)
    found: Schema = {"type": "object", "properties": properties, "required": list(properties)}
    return found | {"additionalProperties": False} | more


def _unit() -> dict[str, Schema]:
    return {
        "available": {
            "type": "boolean",
            "description": "Whether its last reading is still shown; all values are null if not.",
        },
        "profile": {"type": "string", "enum": list(PROFILES)},
        "model": MAYBE_TEXT,
        "serial_number": MAYBE_TEXT,
        "values": {"type": "object", "additionalProperties": VALUE},
        "faults": {
            "type": "object",
            "additionalProperties": {"type": ["boolean", "string", "null"]},
            "description": "Whether there is a fault of a group; `worst_fault` is its name.",
        },
        "active_faults": {"type": ["array", "null"], "items": TEXT},
        "settings": {"type": "object", "additionalProperties": VALUE},
    }


LINK: Final[Schema] = _object(
    {
        "connection_status": {
            "type": "string",
            "enum": [status.value for status in ConnectionStatus],
        },
        "problem": {
            "type": "string",
            "enum": [presentation.NONE, *(code.value for code in ErrorCode)],
        },
        "signal_strength": {"type": ["integer", "null"], "description": "dBm"},
        "success_rate": PERCENT,
        "availability": PERCENT,
        "consecutive_failures": WHOLE,
        "last_duration": MAYBE_SECONDS,
        "average_duration": MAYBE_SECONDS,
        "connect_timeout": MAYBE_SECONDS,
        "recoveries": WHOLE,
    },
    description="The Bluetooth link. Times are seconds.",
)
STATE: Final[Schema] = _object(
    {
        "name": TEXT,
        "read_at": MOMENT,
        "link": LINK,
        **_unit(),
        "units": {
            "type": "object",
            "additionalProperties": _object(_unit()),
            "description": "The units behind a module, by their keys.",
        },
        "bank": {
            "oneOf": [
                {"type": "null"},
                _object(
                    {
                        "available": {"type": "boolean"},
                        "percentage": PERCENT,
                        "remaining_capacity": {"type": ["number", "null"]},
                        "current": {"type": ["number", "null"]},
                        "power": {"type": ["number", "null"]},
                    }
                ),
            ],
            "description": "What several batteries amount to, in %, Ah, A, and W.",
        },
    },
    description="A device as it is. Retained.",
)
SETTING: Final[Schema] = _object(
    {
        "key": TEXT,
        "outcome": {"type": "string", "enum": [outcome.value for outcome in Outcome]},
        "wanted": VALUE,
        "before": VALUE,
        "now": VALUE,
        "sent": {"type": "boolean"},
        "reason": MAYBE_TEXT,
        "facts": {"type": "object", "additionalProperties": TEXT},
    }
)
ANSWER: Final[Schema] = {
    "type": "object",
    "description": "What came of a command. `unknown`: nobody knows whether something was sent.",
    "properties": {
        "id": {"type": ["string", "integer", "null"]},
        "result": {"type": "string", "enum": list(ANSWERS)},
        "event_type": {"type": "string", "enum": list(ANSWERS), "description": "As `result`."},
        "error": {
            "oneOf": [{"type": "null"}, _object({"code": TEXT, "message": TEXT})],
        },
        "unit": TEXT,
        "settings": {"type": "array", "items": SETTING},
        "seconds": {"type": "number", "minimum": 0},
    },
    "required": ["id", "result", "event_type", "error"],
    "additionalProperties": False,
}
EVENT: Final[Schema] = {
    "type": "object",
    "description": "What has happened to the Bluetooth link.",
    "properties": {"event_type": {"type": "string", "enum": [item.value for item in LinkEvent]}},
    "required": ["event_type"],
}
DISCOVERY: Final[Schema] = {
    "type": "object",
    "description": "A device and its entities, as Home Assistant's MQTT discovery has them. Retained.",
    "properties": {
        "device": {"type": "object"},
        "origin": {"type": "object"},
        "components": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {"platform": TEXT, "unique_id": TEXT},
                "required": ["platform"],
                "description": "The platform alone removes an entity.",
            },
        },
    },
    "required": ["device", "origin", "components"],
}
AVAILABILITY: Final[Schema] = {
    "type": "string",
    "enum": [ONLINE, OFFLINE],
    "description": "Whether the bridge is there. Retained, and the last will.",
}
SCHEMAS: Final[dict[str, Schema]] = {
    "availability": AVAILABILITY,
    "state": STATE,
    "event": EVENT,
    "set": SetCommand.model_json_schema(),
    "reconnect": ReconnectCommand.model_json_schema(),
    "answer": ANSWER,
    "discovery": DISCOVERY,
}
"""The payload of each kind of message."""
SENT_BY_THE_BRIDGE: Final = frozenset({"availability", "state", "event", "answer", "discovery"})


def addresses(topics: Topics) -> dict[str, str]:
    """Return the address of each kind of message, with `{device}` for the id of a device."""
    return {
        "availability": topics.availability,
        "state": topics.state("{device}"),
        "event": topics.event("{device}"),
        "set": topics.set("{device}"),
        "reconnect": topics.reconnect("{device}"),
        "answer": topics.answer("{device}"),
        "discovery": topics.discovery("{object}"),
    }


def document(topics: Topics) -> Schema:
    """Return the document of a bridge."""
    found = addresses(topics)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "BluPow bridge",
            "version": release(),
            "description": "Commands are answered on the topic `answer` of their device, and where "
            "the response topic of MQTT 5 asks for it. A command that was given more than 300 s ago, "
            "or that is retained, is refused.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            name: {
                "address": address,
                "messages": {name: {"$ref": f"#/components/messages/{name}"}},
                **_parameters(address),
            }
            for name, address in found.items()
        },
        "operations": {
            name: {
                "action": "send" if name in SENT_BY_THE_BRIDGE else "receive",
                "channel": {"$ref": f"#/channels/{name}"},
                **_reply(name),
            }
            for name in found
        },
        "components": {
            "messages": {
                name: {
                    "contentType": "text/plain" if name == "availability" else "application/json",
                    "payload": {"$ref": f"#/components/schemas/{name}"},
                }
                for name in found
            },
            "schemas": SCHEMAS,
        },
    }


def _parameters(address: str) -> Schema:
    texts = {
        "device": "The id of a device: its address without colons, in lower case.",
        "object": "`blupow_` and the id of a device, or of the bridge.",
    }
    found = {
        name: {"description": text} for name, text in texts.items() if f"{{{name}}}" in address
    }
    return {"parameters": found} if found else {}


def _reply(name: str) -> Schema:
    if name in SENT_BY_THE_BRIDGE:
        return {}
    return {"reply": {"channel": {"$ref": "#/channels/answer"}}}
