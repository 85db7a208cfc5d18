"""The web server: who may, what is answered, and what a wrong request gets."""

import asyncio
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import ssl
import stat
import subprocess

import aiohttp
from blupow_ble.bridge_messages import parse_device, parse_report
from blupow_bridge.http import auth, limits
from blupow_bridge.http.app import LONGEST_LINE
from blupow_bridge.http.auth import Token
from blupow_bridge.http.limits import LARGEST_BODY
from blupow_bridge.metrics import HubCollector
from prometheus_client.parser import text_string_to_metric_families
import pytest

from .conftest import Served, serve

OPEN = ["/health", "/ready", "/api/v1/openapi.json", "/api/v1/session", "/"]
CLOSED = [
    ("GET", "/metrics"),
    ("GET", "/api/v1/stats"),
    ("GET", "/api/v1/devices"),
    ("GET", "/api/v1/devices/virtual_inverter"),
    ("GET", "/api/v1/devices/virtual_inverter/fields"),
    ("GET", "/api/v1/devices/virtual_inverter/history"),
    ("GET", "/api/v1/devices/virtual_inverter/settings"),
    ("POST", "/api/v1/devices/virtual_inverter/settings"),
    ("POST", "/api/v1/devices/virtual_inverter/reconnect"),
    ("POST", "/api/v1/devices/virtual_inverter/find_units"),
    ("POST", "/api/v1/devices/virtual_inverter/registers"),
    ("GET", "/api/v1/ws"),
    ("GET", "/nowhere"),
]


async def test_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, or with another one, nothing that concerns devices is answered."""
    monkeypatch.setattr(limits, "FAILURES_PER_MINUTE", 1000)
    async with serve(tmp_path) as served:
        await nobody_without_token(served)


async def nobody_without_token(served: Served) -> None:
    """See that each address is closed, or open."""
    for method, path in CLOSED:
        for token in (None, "wrong", served.secret[:-1]):
            status, body = await served.ask(method, path, token=token)
            assert (status, body["error"]["code"]) == (401, "unauthorized"), path
    for path in OPEN:
        status, _ = await served.ask("GET", path, token=None)
        assert status in (200, 503), path


async def test_token_in_an_address_is_none(served: Served) -> None:
    """It would end up in logs."""
    status, _ = await served.ask("GET", f"/api/v1/stats?token={served.secret}", token=None)
    assert status == 401


def test_token_at_rest(tmp_path: Path) -> None:
    """Its hash alone is kept, in a file that nobody else reads."""
    token = Token(tmp_path)
    assert not token.exists
    assert not token.is_good("")
    secret = token.make()
    path = tmp_path / auth.TOKEN_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in path.read_text()
    assert token.is_good(secret)
    assert not token.is_good("")
    assert not token.is_good(path.read_text())
    assert Token(tmp_path).is_good(secret)
    other = Token(tmp_path).make()
    assert (token.is_good(secret), token.is_good(other)) == (False, True)


async def test_session_of_the_page(served: Served) -> None:
    """Opened with the token, kept by a cookie for this page alone, ended by a new token."""
    status, _ = await served.ask("POST", "/api/v1/session", token=None, json={"token": "wrong"})
    assert status == 401
    assert (await served.ask("GET", "/api/v1/session", token=None))[1] == {"open": False}
    async with served.session.post(
        f"{served.url}/api/v1/session", json={"token": f" {served.secret} "}
    ) as response:
        cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert served.secret not in cookie
    assert (await served.ask("GET", "/api/v1/session", token=None))[1] == {"open": True}
    assert (await served.ask("GET", "/api/v1/stats", token=None))[0] == 200
    elsewhere = {"Origin": "http://evil.example"}
    assert (await served.ask("GET", "/api/v1/stats", token=None, headers=elsewhere))[0] == 401
    same = {"Origin": served.url}
    assert (await served.ask("GET", "/api/v1/stats", token=None, headers=same))[0] == 200
    served.secret = served.token.make()
    assert (await served.ask("GET", "/api/v1/stats", token=None))[0] == 401
    await served.ask("POST", "/api/v1/session", token=None, json={"token": served.secret})
    assert (await served.ask("GET", "/api/v1/stats", token=None))[0] == 200
    assert (await served.ask("DELETE", "/api/v1/session", token=None))[1] == {"open": False}
    assert (await served.ask("GET", "/api/v1/stats", token=None))[0] == 401


def test_sessions_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that ends first makes room; an old one is over."""
    now = 0.0
    monkeypatch.setattr(auth, "monotonic", lambda: now)
    token = Token(tmp_path)
    assert token.is_good(token.make())
    first = token.open_session()
    now = 1.0
    others = [token.open_session() for _ in range(auth.MOST_SESSIONS)]
    assert not token._has_session(first)
    assert all(token._has_session(session) for session in others)
    now = 2.0 + auth.SESSION_TIME
    assert not any(token._has_session(session) for session in others)
    token.open_session()
    assert len(token._sessions) == 1


async def test_devices(served: Served) -> None:
    """Each with what it is, how it is, and its last reading with its age."""
    _, body = await served.ask("GET", "/api/v1/devices")
    inverter, battery = body["devices"]
    assert (inverter["id"], inverter["name"]) == ("virtual_inverter", "Inverter")
    assert battery["state"]["status"] == "test_mode"
    values = inverter["reading"]["units"][""]["values"]
    assert 10 < values["battery_voltage"] < 15
    assert 0 <= inverter["reading"]["age"] < 60
    assert (inverter["failure"], inverter["state"]["failures"]) == (None, 0)
    _, one = await served.ask("GET", "/api/v1/devices/virtual_battery")
    assert one["units"] == battery["units"]
    status, body = await served.ask("GET", "/api/v1/devices/nothing")
    assert (status, body["error"]["code"]) == (404, "no_such_device")


async def test_fields(served: Served) -> None:
    """What the values are; energies that are estimated too."""
    _, body = await served.ask("GET", "/api/v1/devices/virtual_battery/fields")
    (unit,) = body["units"]
    fields = {field["key"]: field for field in unit["fields"]}
    assert fields["battery_voltage"]["unit_of_measurement"] == "V"
    assert fields["battery_energy_in"] == {
        "key": "battery_energy_in",
        "unit_of_measurement": "Wh",
        "counter": "total",
        "kind": "number",
        "diagnostic": False,
    }


async def test_settings(served: Served) -> None:
    """They are shown, changed and read back; what is wrong costs nothing."""
    path = "/api/v1/devices/virtual_inverter/settings"
    _, body = await served.ask("GET", path)
    assert body["allow_changes"] is True
    settings = {setting["key"]: setting for setting in body["units"][0]["settings"]}
    priority = settings["output_priority"]
    assert priority["kind"] == "choice"
    (other,) = [choice for choice in priority["choices"] if choice != priority["value"]][:1]
    _, report = await served.ask("POST", path, json={"changes": {"output_priority": other}})
    (setting,) = report["settings"]
    assert (setting["outcome"], setting["now"], setting["sent"]) == ("written", other, True)
    _, body = await served.ask("GET", path)
    settings = {setting["key"]: setting for setting in body["units"][0]["settings"]}
    assert settings["output_priority"]["value"] == other
    _, report = await served.ask("POST", path, json={"changes": {"nonsense": 1}})
    assert report["settings"][0]["outcome"] == "refused"
    status, body = await served.ask("POST", path, json={"unit": "7", "changes": {"x": 1}})
    assert (status, body["error"]["code"]) == (404, "no_such_unit")


async def test_changes_that_are_not_allowed(served: Served) -> None:
    """The configuration says which devices may be changed."""
    path = "/api/v1/devices/virtual_battery/settings"
    status, body = await served.ask("POST", path, json={"changes": {"x": 1}})
    assert (status, body["error"]["code"]) == (403, "changes_not_allowed")


async def test_commands(served: Served) -> None:
    """Reconnect brings a fresh reading; registers come as they are; a virtual device has no module."""
    device = served.hub.devices["virtual_inverter"]
    before = device.supervisor.fresh_readings
    status, body = await served.ask("POST", "/api/v1/devices/virtual_inverter/reconnect")
    assert (status, body["step"]) == (200, 1)
    assert device.supervisor.fresh_readings == before + 1
    body = {"spans": [{"start": 4000, "count": 3}]}
    path = "/api/v1/devices/virtual_inverter/registers"
    _, answer = await served.ask("POST", path, json=body)
    assert len(answer["unit"]["registers"]["4000"]) == 3
    status, answer = await served.ask("POST", path, json={"spans": [{"start": 65535, "count": 3}]})
    assert (status, answer["error"]["code"]) == (400, "bad_request")
    status, answer = await served.ask(
        "POST", "/api/v1/devices/virtual_inverter/find_units", json={}
    )
    assert (status, answer["error"]["code"]) == (409, "bad_request")


async def test_history(served: Served) -> None:
    """Pages of readings; parameters are checked."""
    path = "/api/v1/devices/virtual_inverter/history"
    async with asyncio.timeout(30):
        while served.hub.store.writer.written < 4:
            await asyncio.sleep(0.01)
    await served.ask("POST", "/api/v1/devices/virtual_inverter/reconnect")
    async with asyncio.timeout(30):
        while served.hub.store.writer.waiting or served.hub.store.writer.written < 5:
            await asyncio.sleep(0.01)
    _, body = await served.ask("GET", f"{path}?fields=battery_voltage&limit=1")
    assert body["resolution"] == "raw"
    assert set(body["rows"][0]["values"]) == {"battery_voltage"}
    assert datetime.fromisoformat(body["rows"][0]["at"]) > datetime.now(UTC) - timedelta(minutes=5)
    _, rest = await served.ask("GET", f"{path}?cursor={body['cursor']}")
    assert rest["rows"]
    await served.hub.store.round()
    _, hours = await served.ask("GET", f"{path}?resolution=hour")
    assert hours["rows"][0]["values"]["battery_voltage"]["samples"] >= 1
    wrong = [
        "limit=0",
        "limit=99999999",
        "limit=x",
        "resolution=minute",
        "from=yesterday",
        "from=1999-01-01",
        "from=2026-01-02&to=2026-01-01",
        "cursor=x",
        "other=1",
        "limit=1&limit=2",
    ]
    for query in wrong:
        status, body = await served.ask("GET", f"{path}?{query}")
        assert (status, body["error"]["code"]) == (400, "bad_request"), query
        assert body["error"]["message"]
    status, body = await served.ask("GET", f"{path}?unit=9")
    assert (status, body["error"]["code"]) == (404, "no_such_unit")


async def test_history_without_a_database(tmp_path: Path) -> None:
    """It is away: 503 with a sentence for the history alone; the rest goes on."""
    url = "postgresql://blupow@127.0.0.1:1/none"
    async with serve(tmp_path, store={"url": url}) as served:
        await served.wait_read()
        path = "/api/v1/devices/virtual_inverter/history"
        status, body = await served.ask("GET", path)
        assert (status, body["error"]["code"]) == (503, "store_unavailable")
        assert (await served.ask("GET", "/api/v1/devices"))[0] == 200
        _, health = await served.ask("GET", "/health")
        assert (health["status"], health["store"]) == ("degraded", "waiting")
        _, stats = await served.ask("GET", "/api/v1/stats")
        assert (stats["store"]["ready"], stats["store"]["waiting"] > 0) == (False, True)
        assert stats["store"]["problem"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        ("{", "application/json", 400, "bad_request"),
        ("[]", "application/json", 400, "bad_request"),
        ("null", "application/json", 400, "bad_request"),
        ('{"changes": {}}', "application/json", 400, "bad_request"),
        ('{"changes": {"a": [1]}}', "application/json", 400, "bad_request"),
        ('{"changes": {"a": 1}, "more": 2}', "application/json", 400, "bad_request"),
        ('{"changes": {"a": "' + "x" * 65 + '"}}', "application/json", 400, "bad_request"),
        ("[" * 50_000, "application/json", 400, "bad_request"),
        ("\udcff", "application/json; charset=nonsense", 400, "bad_request"),
        ('{"changes": {"a": 1}}', "text/plain", 415, "unsupported_media_type"),
        ("x" * (LARGEST_BODY + 1), "application/json", 413, "too_large"),
    ],
    ids=[
        *("cut", "list", "null", "no_change", "list_as_value", "unknown_name", "long_value"),
        *("deep", "no_text", "other_type", "large"),
    ],
)
async def test_malformed_bodies(
    tmp_path: Path, body: str, content_type: str, status: int, code: str
) -> None:
    """Each is told what is wrong with it; none brings the bridge down."""
    async with serve(tmp_path) as served:
        path = "/api/v1/devices/virtual_inverter/settings"
        found, answer = await served.ask(
            "POST",
            path,
            data=body.encode(errors="surrogateescape"),
            headers={"Content-Type": content_type},
        )
        assert (found, answer["error"]["code"]) == (status, code)
        assert (await served.ask("GET", "/health"))[0] == 200


async def test_wrong_method_and_address(served: Served) -> None:
    """Also they get JSON."""
    status, body = await served.ask("DELETE", "/api/v1/devices")
    assert (status, body["error"]["code"]) == (405, "method_not_allowed")
    status, body = await served.ask("GET", "/nowhere")
    assert (status, body["error"]["code"]) == (404, "not_found")
    status, body = await served.ask("GET", "/page/../../config.py", token=None)
    assert status in (401, 404)


async def test_what_is_read_seldom_is_told_to_whoever_comes_later(served: Served) -> None:
    """What a device is, and its settings, are not in its last reading, but are known."""
    device = served.hub.devices["virtual_inverter"]
    for _ in range(3):
        await device.supervisor.poll()
    _, body = await served.ask("GET", "/api/v1/devices/virtual_inverter")
    client = parse_device(body).units[0].state()
    report = parse_report(body)
    assert report.reading is not None
    client.keep(report.reading.reading.main, datetime.now(UTC), client.monotonic())
    own = device.supervisor.own
    assert client.serial_number == "VIRTUAL00000000001"
    assert client.identity == own.identity
    assert client.setting("output_priority") == "battery_first"
    assert [client.setting(item.key) for item in own.controls] == [
        own.setting(item.key) for item in own.controls
    ]
    assert client.snapshot is not None
    assert own.snapshot is not None
    assert client.snapshot.values == own.snapshot.values


async def test_long_addresses(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """They are answered as all others; one beyond all measure is refused, and fills no log."""
    path = "/api/v1/devices/virtual_inverter/history"
    status, body = await served.ask("GET", path, params={"unit": "x" * 20_000})
    assert (status, body["error"]["code"]) == (400, "bad_request")
    url = f"{served.url}{path}?unit={'x' * 2 * LONGEST_LINE}"
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        assert response.status == 400
    assert [record.message for record in caplog.records if record.exc_info] == []


async def test_rate_limit(tmp_path: Path) -> None:
    """Of one client: more requests get 429, and after a while they are answered again."""
    async with serve(tmp_path, http={"port": 0, "requests_per_minute": 10}) as served:
        found = [(await served.ask("GET", "/health"))[0] for _ in range(12)]
        assert found == [200] * 10 + [429] * 2


def test_bucket_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a minute."""
    now = 0.0
    monkeypatch.setattr(limits, "monotonic", lambda: now)
    limit = limits.RateLimit(60)
    assert [limit.take("a") for _ in range(61)] == [True] * 60 + [False]
    assert limit.take("b")
    now = 2.0
    assert [limit.take("a") for _ in range(3)] == [True, True, False]
    now = 1000.0
    assert sum(limit.take("a") for _ in range(100)) == 60


async def test_wrong_tokens_are_limited(served: Served) -> None:
    """Guessing is slow; the right token is not kept out by it."""
    found = [(await served.ask("GET", "/api/v1/stats", token="x"))[0] for _ in range(22)]
    assert found.count(401) == limits.FAILURES_PER_MINUTE
    assert found[-1] == 429
    assert (await served.ask("GET", "/api/v1/stats"))[0] == 200


def test_clients_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses without number do not fill the memory."""
    monkeypatch.setattr(limits, "MOST_CLIENTS", 5)
    limit = limits.RateLimit(10)
    for number in range(50):
        limit.take(str(number))
    assert len(limit._buckets) <= 5


async def test_health_and_ready(tmp_path: Path) -> None:
    """Health answers 200 at once; ready only when each device was read, or was told as lost."""
    devices = [
        {"name": "Battery", "virtual": True, "profile": "battery"},
        {"name": "Van", "address": "C4:D3:6A:66:7E:D4", "profile": "inverter", "cache_time": 10}
        | {"grace_time": 10, "update_interval": 10},
    ]
    async with serve(tmp_path, devices) as served:
        status, body = await served.ask("GET", "/health", token=None)
        assert status == 200
        status, body = await served.ask("GET", "/ready", token=None)
        assert (status, body["ready"]) == (503, False)
        lost = served.hub.devices["c4d36a667ed4"]
        await served.hub.devices["virtual_battery"].supervisor.poll()
        assert (await served.ask("GET", "/ready", token=None))[1]["waiting"] == 1
        lost.supervisor.link.since -= 1000
        async with asyncio.timeout(30):
            while not lost.supervisor.link.failures:
                await asyncio.sleep(0.02)
        status, body = await served.ask("GET", "/ready", token=None)
        assert (status, body) == (200, {"ready": True, "waiting": 0})
        _, body = await served.ask("GET", "/health", token=None)
        assert (body["status"], body["devices"]) == ("degraded", {"lost": 1, "test_mode": 1})


async def test_metrics(served: Served) -> None:
    """Every one that is declared has a value."""
    await served.ask("POST", "/api/v1/devices/virtual_inverter/reconnect")
    _, text = await served.ask("GET", "/metrics")
    found = {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in text_string_to_metric_families(text)
    }
    declared = {metric.name for metric in HubCollector(served.hub).collect()}
    assert set(found) == declared
    # a virtual device has no signal
    assert {name for name, samples in found.items() if not samples} == {"blupow_signal_dbm"}
    values = {(labels["device"], labels["field"]): value for labels, value in found["blupow_value"]}
    reported = served.hub.devices["virtual_inverter"].supervisor.own.value("battery_voltage")
    assert values["virtual_inverter", "battery_voltage"] == reported
    statuses = {labels["status"]: value for labels, value in found["blupow_connection_status"]}
    assert statuses["test_mode"] == 1


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a certificate; its key is beside it."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    return tmp_path / "cert.pem"


async def test_certificate(tmp_path: Path, certificate: Path) -> None:
    """With one, the bridge speaks TLS alone."""
    http = {"port": 0, "certificate": certificate, "key": certificate.with_name("key.pem")}
    async with serve(tmp_path, http=http) as served:
        context = ssl.create_default_context(cafile=str(certificate))
        url = f"https://127.0.0.1:{served.port}/health"
        async with served.session.get(url, ssl=context) as response:
            assert (await response.json())["status"] in ("ok", "degraded")


async def test_headers(served: Served) -> None:
    """Nothing may frame the page, and no answer about devices is kept by a cache."""
    headers = {"Authorization": f"Bearer {served.secret}"}
    async with served.session.get(f"{served.url}/api/v1/stats", headers=headers) as response:
        assert response.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_no_token_in_any_log(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is asked."""
    caplog.set_level("DEBUG")
    await served.ask("GET", "/api/v1/devices")
    await served.ask("POST", "/api/v1/session", token=None, json={"token": served.secret})
    await served.ask("GET", "/nowhere")
    assert served.secret not in caplog.text


def test_openapi_names_every_address() -> None:
    """The document and the routes are the same."""
    from blupow_bridge.http.openapi import document

    found = document()
    text = json.dumps(found)
    assert found["openapi"] == "3.1.0"
    for name in found["components"]["schemas"]:
        if name != "SpanBody":
            assert f"#/components/schemas/{name}" in text
