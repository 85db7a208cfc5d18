/** The card of a device: how it is, why, and its units. */

import { fieldsOf, reconnect } from "./api.js";
import { age, duration, label, number, sentence, state, UNKNOWN } from "./format.js";
import { Unit } from "./unit.js";

/** Statuses of which the last reading is still shown, as an old one. */
const SERVED = new Set(["offline", "disconnected"]);
/** Statuses after a good poll. */
const GOOD = new Set(["connected", "test_mode"]);
const LATE = 60;
const STEPS = {
  1: "closing the connection",
  2: "searching for the device again",
  3: "letting Bluetooth discover the device anew",
};

const description = (report) =>
  JSON.stringify({ ...report, state: null, reading: null, failure: null });

export class Device {
  #report;
  #described;
  #fields = null;
  #units = [];
  #parts;
  #readAt = null;
  #failedAt = null;
  #bridgeLost = false;
  #announce;

  /** `announce` tells a change of state to screen readers. */
  constructor(report, announce) {
    this.#report = report;
    this.#described = description(report);
    this.#announce = announce;
    const template = document.getElementById("device-template");
    this.element = template.content.firstElementChild.cloneNode(true);
    const part = (selector) => this.element.querySelector(selector);
    this.#parts = {
      name: part("h2"), model: part(".model"), status: part(".status"), why: part(".why"),
      button: part(".reconnect"), outcome: part(".outcome"), units: part(".units"),
      age: part("[data-fact=age]"), rssi: part("[data-fact=rssi]"), success: part("[data-fact=success]"),
    };
    const { name, button, model } = this.#parts;
    this.element.dataset.device = report.id;
    name.id = `device-${report.id}`;
    name.textContent = report.name;
    this.element.setAttribute("aria-labelledby", name.id);
    model.textContent = this.#model(report.units[0].model);
    button.setAttribute("aria-label", `Reconnect ${report.name}`);
    button.addEventListener("click", () => this.#reconnect());
    this.#take(report);
  }

  /** Whether a report is of this device, set up as it is. */
  isSame(report) {
    return this.#described === description(report);
  }

  /** Get what its values are, and its history. */
  async load() {
    await (this.#fields ??= this.#loadFields());
    await Promise.all(this.#units.map((unit) => unit.loadHistory()));
  }

  async #loadFields() {
    try {
      const units = await fieldsOf(this.#report.id);
      this.#parts.model.textContent = this.#model(units[0].model, units[0].name);
      this.#units = units.map((unit) => new Unit(this.#report, unit));
      this.#parts.units.replaceChildren(...this.#units.map((unit) => unit.element));
      this.#setOutcome("");
      this.#show();
    } catch (error) {
      this.#fields = null;
      this.#setOutcome(`The values cannot be shown. ${sentence(error.message)}`, "bad");
      throw error;
    }
  }

  /** Take the whole report, as of a snapshot. */
  replace(report) {
    this.#change(() => this.#take(report));
  }

  /** Take a message about this device. */
  receive(message) {
    this.#change(() => {
      this.#report.state = message.state ?? this.#report.state;
      if (message.type === "reading") {
        this.#take({ ...this.#report, reading: message.reading, failure: null });
        this.#units.forEach((unit) => unit.addToHistory(message.reading));
      } else if (message.type === "failure") {
        this.#take({ ...this.#report, failure: message.failure }, { reading: false });
      } else if (message.type === "event") {
        this.#tell(message);
      }
    });
  }

  /** The bridge is gone, or back: without it nobody knows how the device is. */
  set bridgeLost(lost) {
    this.#bridgeLost = lost;
    this.#show();
  }

  /** Let the ages go on. */
  tick() {
    this.#showAges();
    this.#showFreshness();
  }

  get id() {
    return this.#report.id;
  }

  remove() {
    this.#units.forEach((unit) => unit.remove());
    this.element.remove();
  }

  #model(model, kind) {
    const { units, virtual, address } = this.#report;
    const parts = [kind ?? label(units[0].profile), model, virtual ? "" : address];
    return parts.filter(Boolean).join(" · ");
  }

  #take(report, { reading = true } = {}) {
    this.#report = report;
    const at = (part) => (part ? Date.now() - part.age * 1000 : null);
    if (reading) {
      this.#readAt = at(report.reading);
    }
    this.#failedAt = at(report.failure);
    this.#show();
  }

  #change(work) {
    const before = this.#report.state.status;
    work();
    this.#show();
    const { name, state: now, failure } = this.#report;
    if (now.status !== before) {
      const why = failure ? ` ${sentence(failure.message)}` : "";
      this.#announce(`${name}: ${state(now.status).text}.${why}`);
    }
  }

  #show() {
    const { state: link } = this.#report;
    const { text, tone } = state(link.status);
    const { status, rssi, success } = this.#parts;
    status.textContent = this.#bridgeLost ? "Unknown" : text;
    status.dataset.tone = this.#bridgeLost ? "neutral" : tone;
    rssi.textContent = number(this.#bridgeLost ? null : link.rssi, "dBm");
    success.textContent = number(link.success_rate, "%");
    this.#showAges();
    this.#showFreshness(true);
  }

  #showAges() {
    const { age: shown, why } = this.#parts;
    const { failure, reading } = this.#report;
    const now = Date.now();
    shown.textContent = this.#readAt === null ? UNKNOWN : age((now - this.#readAt) / 1000);
    why.hidden = !failure;
    if (failure) {
      const when = age((now - this.#failedAt) / 1000);
      const what = reading ? "The last poll failed" : "The device was not read yet";
      why.textContent = `${what} (${when}): ${sentence(failure.message)}`;
    }
  }

  get #freshness() {
    const { state: link, reading, update_interval: interval } = this.#report;
    if (!reading) {
      return "absent";
    }
    // the wall clock: it goes on while the computer sleeps
    const late = Date.now() - this.#readAt > (2 * interval + LATE) * 1000;
    if (GOOD.has(link.status)) {
      return late || this.#bridgeLost ? "stale" : "fresh";
    }
    return SERVED.has(link.status) ? "stale" : "absent";
  }

  #shownFreshness = "";

  #showFreshness(always = false) {
    const freshness = this.#freshness;
    if (!always && freshness === this.#shownFreshness) {
      return;
    }
    this.#shownFreshness = this.element.dataset.freshness = freshness;
    this.#units.forEach((unit) => unit.show(this.#report.reading, freshness));
  }

  #tell({ event, facts }) {
    const texts = {
      connection_lost: () => "",
      connection_restored: () => `Connection restored after ${duration(facts.outage)}.`,
      recovery: () =>
        facts.worked
          ? `A recovery worked after ${duration(facts.seconds)}.`
          : `A recovery failed after ${duration(facts.seconds)}.`,
    };
    // the button tells of its own recoveries
    if (!this.#parts.button.disabled && event in texts) {
      this.#setOutcome(texts[event](), event === "recovery" && !facts.worked ? "bad" : "good");
    }
  }

  #setOutcome(text, tone = "neutral") {
    const { outcome } = this.#parts;
    outcome.hidden = !text;
    outcome.textContent = text;
    outcome.dataset.tone = tone;
  }

  async #reconnect() {
    const { button } = this.#parts;
    const focused = document.activeElement === button;
    button.disabled = true;
    button.textContent = "Reconnecting…";
    this.#setOutcome("Reconnecting. This takes up to five minutes.", "neutral");
    try {
      const { step, seconds } = await reconnect(this.#report.id);
      const how = step ? ` by step ${step}, ${STEPS[step] ?? ""}`.replace(/, $/, "") : "";
      this.#setOutcome(`Reconnected in ${number(seconds, "s")}${how}.`, "good");
    } catch (error) {
      this.#setOutcome(`Not reconnected. ${sentence(error.message)}`, "bad");
    } finally {
      button.disabled = false;
      button.textContent = "Reconnect";
      // a disabled button loses the focus
      if (focused && document.activeElement === document.body) {
        button.focus();
      }
    }
  }
}
