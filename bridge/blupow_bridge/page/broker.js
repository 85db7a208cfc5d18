/** The connection to the broker: how it is, and its last events. */

import { mqtt, resetReconnect } from "./api.js";
import { duration, label, number, sentence } from "./format.js";

const PAUSE = 10_000;
const SHOWN_EVENTS = 50;
const MOMENTS = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

const part = (id) => document.getElementById(`mqtt${id}`);
let timer;

/** Show the broker for as long as there is one; a session that has ended is told by whoever asks next. */
export async function showBroker(isThere) {
  clearTimeout(timer);
  part("").hidden = !isThere;
  if (!isThere) {
    return;
  }
  timer = setTimeout(() => showBroker(true), PAUSE);
  const asked = timer;
  try {
    const report = await mqtt();
    if (asked === timer) {
      show(report);
    }
  } catch (error) {
    if (asked === timer && error.status === 404) {
      hideBroker();
    } else if (asked === timer) {
      part("-status").textContent = "Unknown";
      part("-status").dataset.tone = "neutral";
      part("-why").hidden = false;
      part("-why").textContent = sentence(error.message);
    }
  }
}

export function hideBroker() {
  clearTimeout(timer);
  timer = undefined;
  part("").hidden = true;
}

function show(report) {
  part("-broker").textContent = report.broker + (report.connected ? `, MQTT ${report.protocol}` : "");
  part("-status").textContent = report.connected ? "Connected" : report.reconnection_failed ? "Recovering" : "Not connected";
  part("-status").dataset.tone = report.connected ? "good" : report.reconnection_failed ? "bad" : "warning";
  part("-reset").hidden = report.connected;
  part("-why").hidden = report.connected || report.cause === null;
  part("-why").textContent = report.cause === null ? "" : why(report) + next(report.next_attempt_in);
  part("-published").textContent = number(report.published);
  part("-waiting").textContent = number(report.waiting);
  part("-connections").textContent = number(report.connections);
  part("-dropped").textContent = number(report.dropped.full + report.dropped.expired);
  part("-events").replaceChildren(...report.events.slice(0, SHOWN_EVENTS).map(row));
}

const why = ({ cause, message }) => sentence(message ? `${label(cause)}: ${message}` : label(cause));
const next = (seconds) => (seconds === null ? "" : ` Next attempt in ${duration(seconds)}.`);

function row(event) {
  const cells = [
    MOMENTS.format(Date.parse(event.at)),
    label(event.event) + (event.seconds === null ? "" : ` after ${duration(event.seconds)}`),
    event.cause === null ? "" : why(event),
  ];
  const element = document.createElement("tr");
  for (const text of cells) {
    element.append(Object.assign(document.createElement("td"), { textContent: text }));
  }
  return element;
}

document.getElementById("mqtt-reset").addEventListener("click", async (event) => {
  event.target.disabled = true;
  try {
    await resetReconnect();
  } catch (error) {
    part("-why").textContent = sentence(error.message);
  } finally {
    event.target.disabled = false;
  }
  if (timer !== undefined) {
    clearTimeout(timer);
    timer = setTimeout(() => showBroker(true), 1000);
  }
});
