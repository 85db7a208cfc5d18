"""aiomqtt's client, which also says what the broker refuses to take."""

from typing import Any, override

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode


class Client(aiomqtt.Client):
    """A client that counts what the broker has acknowledged, and refused.

    aiomqtt takes every acknowledgment for a good one. Its callback is not public: a test with a real
    broker notices its end.
    """

    refused = 0
    """Messages that the broker has refused, by MQTT 5."""
    refusal = ""
    """Why, in the words of the broker."""

    @override
    def _on_publish(
        self,
        client: Any,
        userdata: Any,
        mid: int,
        reason_code: ReasonCode,
        properties: Any,
    ) -> None:
        if reason_code.is_failure:
            self.refused += 1
            self.refusal = str(reason_code)
        super()._on_publish(client, userdata, mid, reason_code, properties)
