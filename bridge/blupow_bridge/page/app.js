/** The page: the log-in, the devices as they come, and how the bridge is. */

import { isLoggedIn, logIn, logOut, stats } from "./api.js";
import { Device } from "./device.js";
import { duration, number, sentence } from "./format.js";
import { Live } from "./live.js";
import { hideBroker, showBroker } from "./broker.js";

const STATS_PAUSE = 60_000;
const RETRY_PAUSE = 10_000;
const LOST = "Connection to the bridge lost, trying again";

const part = (id) => document.getElementById(id);
const devices = new Map();
let startedAt = null;
let statsTimer;

const live = new Live({
  message: receive,
  lost: () => setLost(true),
  refused: (tokenChanged) =>
    askForToken(tokenChanged ? "The bridge has a new token. Log in with it." : "The bridge has ended this session. Log in again."),
  mayGoOn: () => isLoggedIn().catch(() => undefined),
});

function setLost(lost) {
  if (part("banner").hidden !== lost) {
    return; // the same words again would be read out again
  }
  part("banner").hidden = !lost;
  part("banner").textContent = lost ? LOST : "";
  devices.forEach((device) => (device.bridgeLost = lost));
}

function announce(text) {
  part("announcement").textContent = text;
}

function receive(message) {
  if (message.type === "hello") {
    part("bridge-name").textContent = message.name;
    document.title = `${message.name} · BluPow bridge`;
    part("about").textContent = `${message.name}, BluPow bridge ${message.version}`;
    setLost(false);
    showStats();
  } else if (message.type === "snapshot" || message.type === "devices") {
    serve(message.devices);
  } else {
    devices.get(message.device)?.receive(message);
  }
}

/** Show these devices, in their order; those that are the same stay as they are. */
function serve(reports) {
  const before = new Map(devices);
  devices.clear();
  for (const report of reports) {
    let device = before.get(report.id);
    if (device?.isSame(report)) {
      before.delete(report.id);
      device.replace(report);
    } else {
      device = new Device(report, announce);
    }
    devices.set(report.id, device);
  }
  before.forEach((device) => device.remove());
  const list = part("devices");
  [...devices.values()].forEach((device, index) => {
    // moving an element that has the focus takes it away
    if (list.children[index] !== device.element) {
      list.insertBefore(device.element, list.children[index] ?? null);
    }
  });
  part("empty").hidden = devices.size > 0;
  devices.forEach(load);
}

async function load(device) {
  try {
    await device.load();
  } catch (error) {
    failed(error);
    setTimeout(() => devices.get(device.id) === device && load(device), RETRY_PAUSE);
  }
}

/** A session that has ended asks for the token. */
function failed(error) {
  if (error.status === 401) {
    askForToken("The bridge has ended this session. Log in again.");
  }
}

async function showStats() {
  clearTimeout(statsTimer);
  statsTimer = setTimeout(showStats, STATS_PAUSE);
  try {
    const { uptime, bluetooth, store, mqtt } = await stats();
    await showBroker(mqtt !== null);
    startedAt = Date.now() - uptime * 1000;
    showUptime();
    const parts = [
      store.problem ? `History: ${sentence(store.problem)}` : store.ready ? "History is kept." : "The history is not ready yet.",
      store.waiting ? `${number(store.waiting)} readings wait to be written.` : "",
      store.lost ? `${number(store.lost)} readings were lost.` : "",
      bluetooth ? `Bluetooth: ${sentence(bluetooth)}` : "",
    ];
    part("store").textContent = parts.filter(Boolean).join(" ");
    part("store").classList.toggle("error", Boolean(store.problem || store.lost || bluetooth));
  } catch (error) {
    failed(error);
  }
}

function showUptime() {
  if (startedAt !== null) {
    part("uptime").textContent = `Runs for ${duration((Date.now() - startedAt) / 1000)}`;
  }
}

function setLoggedIn(open) {
  part("log-in").hidden = open;
  part("log-out").hidden = part("footer").hidden = part("devices").hidden = !open;
  if (!open) {
    live.close();
    clearTimeout(statsTimer);
    hideBroker();
    setLost(false);
    serve([]);
    part("empty").hidden = true;
  }
}

function askForToken(why = "") {
  if (!part("log-in").hidden) {
    return;
  }
  setLoggedIn(false);
  part("log-in-why").hidden = !why;
  part("log-in-why").textContent = why;
  part("log-in-error").textContent = "";
  part("token").focus();
}

function begin() {
  setLoggedIn(true);
  live.open();
}

const REFUSALS = {
  401: "This is not the token of the bridge.",
  429: "Too many tries. Wait a minute, then try again.",
};

part("log-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [field, error] = [part("token"), part("log-in-error")];
  const button = event.target.querySelector("button");
  button.disabled = true;
  error.textContent = "";
  try {
    await logIn(field.value);
    field.value = "";
    field.removeAttribute("aria-invalid");
    begin();
    part("main").focus();
  } catch (refusal) {
    field.setAttribute("aria-invalid", "true");
    error.textContent = REFUSALS[refusal.status] ?? sentence(refusal.message);
    field.select();
  } finally {
    button.disabled = false;
  }
});

part("log-out").addEventListener("click", async () => {
  try {
    await logOut();
    askForToken();
  } catch (error) {
    announce(sentence(error.message));
  }
});

setInterval(() => {
  devices.forEach((device) => device.tick());
  showUptime();
}, 1000);

/** Find out whether there is a session, for as long as the bridge does not answer. */
async function start(pause = 1000) {
  const open = await isLoggedIn().catch(() => undefined);
  if (open === undefined) {
    setLost(true);
    setTimeout(() => start(Math.min(2 * pause, 60_000)), pause);
    return;
  }
  setLost(false);
  if (open) {
    begin();
  } else {
    askForToken();
  }
}

start();
