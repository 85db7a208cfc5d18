"""The metrics of a bridge, collected anew for each scrape: none can be left behind."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, override

from blupow_ble.supervisor.policies import ConnectionStatus
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from .hub import Hub
    from .mqtt.publisher import Publisher

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class HubCollector(Collector):
    """Collects what is known of a hub."""

    def __init__(self, hub: Hub) -> None:
        """Collect from a hub."""
        self._hub = hub

    @override
    def collect(self) -> Iterator[Metric]:
        """Go through all metrics."""
        yield from self._of_bridge()
        yield from self._of_links()
        yield self._values()
        if self._hub.mqtt is not None:
            yield from self._of_broker(self._hub.mqtt)

    def _of_bridge(self) -> Iterator[Metric]:
        hub, writer = self._hub, self._hub.store.writer
        numbers = (
            ("blupow_uptime_seconds", "Seconds since the start.", hub.uptime),
            (
                "blupow_store_waiting_readings",
                "Readings that wait for the database.",
                writer.waiting,
            ),
            ("blupow_store_up", "1 while the database takes readings.", writer.problem is None),
            ("blupow_push_clients", "Clients that get pushes.", len(hub.push.subscribers)),
        )
        for name, text, value in numbers:
            yield GaugeMetricFamily(name, text, value=float(value))
        counts = (
            ("blupow_store_written_readings", "Readings written since the start.", writer.written),
            ("blupow_store_lost_readings", "Readings lost since the start.", writer.lost),
            ("blupow_push_messages", "Messages pushed since the start.", hub.push.sequence),
            ("blupow_push_dropped_clients", "Clients that were too slow.", hub.push.dropped),
        )
        for name, text, value in counts:
            yield CounterMetricFamily(name, text, value=float(value))

    def _of_links(self) -> Iterator[Metric]:
        labels = ["device"]
        status = GaugeMetricFamily(
            "blupow_connection_status", "1 for the status it has.", labels=[*labels, "status"]
        )
        age = GaugeMetricFamily(
            "blupow_data_age_seconds", "Seconds since the last fresh reading.", labels=labels
        )
        failures = GaugeMetricFamily(
            "blupow_consecutive_failures", "Failed polls in a row.", labels=labels
        )
        rate = GaugeMetricFamily(
            "blupow_success_ratio", "Good polls among the last hundred.", labels=labels
        )
        signal = GaugeMetricFamily(
            "blupow_signal_dbm", "Signal strength of a device that is heard.", labels=labels
        )
        recoveries = CounterMetricFamily(
            "blupow_recoveries", "Recoveries that worked.", labels=labels
        )
        for device in self._hub.devices.values():
            link, health = device.supervisor.link, device.supervisor.health
            name = [device.id]
            for item in ConnectionStatus:
                status.add_metric([*name, item.value], float(health.status is item))
            failures.add_metric(name, link.failures)
            recoveries.add_metric(name, link.recoveries)
            if health.age is not None:
                age.add_metric(name, health.age)
            if link.success_rate is not None:
                rate.add_metric(name, link.success_rate / 100)
            if (rssi := device.state["rssi"]) is not None:
                signal.add_metric(name, rssi)
        yield from (status, age, failures, rate, signal, recoveries)

    def _of_broker(self, mqtt: Publisher) -> Iterator[Metric]:
        connection, diagnostics = mqtt.connection, mqtt.connection.diagnostics
        sessions = diagnostics.sessions
        gauges = (
            ("blupow_mqtt_connected", "1 while there is a connection.", connection.connected),
            (
                "blupow_mqtt_reconnection_failed",
                "1 while recoveries try to connect.",
                connection.reconnection.failed and not connection.connected,
            ),
            ("blupow_mqtt_waiting_messages", "Messages that wait.", len(mqtt.outbox)),
        )
        for name, text, value in gauges:
            yield GaugeMetricFamily(name, text, value=float(value))
        counts = (
            ("blupow_mqtt_published_messages", "Messages acknowledged.", mqtt.published),
            ("blupow_mqtt_refused_messages", "Messages that the broker refused.", mqtt.refused),
            ("blupow_mqtt_connections", "Connections made.", diagnostics.connections),
            (
                "blupow_mqtt_reconnections_failed",
                "How often all attempts to reconnect have failed.",
                diagnostics.reconnections_failed,
            ),
            ("blupow_mqtt_recoveries", "Recoveries begun.", diagnostics.recoveries),
            ("blupow_mqtt_session_seconds", "Seconds of ended sessions.", sessions.total),
            ("blupow_mqtt_sessions", "Ended sessions.", sessions.count),
        )
        for name, text, count in counts:
            yield CounterMetricFamily(name, text, value=float(count))
        labeled = (
            ("blupow_mqtt_drops", "Ended sessions by cause.", "cause", diagnostics.drops),
            (
                "blupow_mqtt_failed_attempts",
                "Failed attempts to connect by cause.",
                "cause",
                diagnostics.failures,
            ),
            ("blupow_mqtt_commands", "Commands by what came of them.", "result", mqtt.commands),
            (
                "blupow_mqtt_dropped_messages",
                "Messages that were never sent.",
                "cause",
                {"full": mqtt.outbox.full, "expired": mqtt.outbox.expired},
            ),
        )
        for name, text, label, numbers in labeled:
            family = CounterMetricFamily(name, text, labels=[label])
            for key, number in numbers.items():
                family.add_metric([key], float(number))
            yield family

    def _values(self) -> Metric:
        """Return the numbers of the last readings, as long as they are shown."""
        values = GaugeMetricFamily(
            "blupow_value", "A value of the last reading.", labels=["device", "unit", "field"]
        )
        for device in self._hub.devices.values():
            for unit in device.supervisor.units:
                if not device.supervisor.health.shows(unit) or unit.snapshot is None:
                    continue
                for key, value in unit.snapshot.values.items():
                    if isinstance(value, int | float):
                        values.add_metric([device.id, unit.key, key], float(value))
        return values


def exposition(hub: Hub) -> bytes:
    """Return the metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(HubCollector(hub))
    return generate_latest(registry)
