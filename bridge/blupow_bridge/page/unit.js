/** The section of a unit: its alerts, its values, its charts. */

import { DayChart } from "./chart.js";
import { EnergyTable } from "./energy.js";
import { label, UNKNOWN, value } from "./format.js";

const LISTS = new Set(["bits", "codes", "pairs"]);
const IDENTITY = new Set(["text", "version", "hex"]);
const TILES = ["battery_percentage", "battery_voltage", "battery_current"];
const MOST_TILES = 6;
const MOST_POWERS = 5;
const GROUPS = [
  ["Now", (field) => field.counter === null],
  ["Today", (field) => field.counter === "daily"],
  ["Total", (field) => field.counter === "total" || field.counter === "events"],
];

const isPower = (field) =>
  field.unit_of_measurement === "W" && field.counter === null && isMain(field);
const isMain = (field) => !field.diagnostic && !IDENTITY.has(field.kind) && !LISTS.has(field.kind);
const isEnergy = (field) =>
  field.counter === "total" && ["Wh", "kWh"].includes(field.unit_of_measurement);

function create(tag, text, className) {
  const element = document.createElement(tag);
  element.textContent = text ?? "";
  if (className) {
    element.className = className;
  }
  return element;
}

export class Unit {
  #key;
  #lists;
  #rows = [];
  #parts;
  #chart;
  #energy;

  /** `device` is the report of its device, `unit` what its values are. */
  constructor(device, unit) {
    const template = document.getElementById("unit-template");
    this.element = template.content.firstElementChild.cloneNode(true);
    this.#key = unit.key;
    this.element.dataset.unit = unit.key;
    const part = (selector) => this.element.querySelector(selector);
    this.#parts = {
      notAnswering: part(".not-answering"), alerts: part(".alerts"), tiles: part(".tiles"),
      values: part(".values"), details: part("details"), rows: part("details dl"), notSent: part(".not-sent"),
    };
    if (unit.key) {
      const { unit_id: id } = device.units.find(({ key }) => key === unit.key) ?? {};
      const name = part(".unit-name");
      name.hidden = false;
      name.textContent = [unit.name, unit.model, id ? `unit ${id}` : ""].filter(Boolean).join(" · ");
      name.id = `unit-${device.id}-${unit.key}`;
      this.element.setAttribute("aria-labelledby", name.id);
    }
    const powers = unit.fields.filter(isPower).slice(0, MOST_POWERS);
    this.#lists = unit.fields.filter((field) => LISTS.has(field.kind));
    this.#addValues(unit.fields, powers, unit.key ? "h4" : "h3");
    this.#chart = new DayChart(part(".day"), {
      device: device.id,
      unit: unit.key,
      interval: device.update_interval,
      fields: [...powers, ...unit.fields.filter((field) => field.key === "battery_percentage")],
    });
    this.#energy = new EnergyTable(part(".energy"), {
      device: device.id,
      unit: unit.key,
      fields: unit.fields.filter(isEnergy),
    });
    part(".charts").hidden = this.#chart.isEmpty && this.#energy.isEmpty;
  }

  loadHistory() {
    return Promise.all([this.#chart.load(), this.#energy.load()]);
  }

  addToHistory(reading) {
    const found = reading.units[this.#key];
    if (found) {
      this.#chart.add(reading.age, found.values);
      this.#energy.loadIfOld();
    }
  }

  /** Show the values of a reading that is fresh, stale, or absent. */
  show(reading, freshness) {
    const found = freshness === "absent" ? undefined : reading.units[this.#key];
    const values = found?.values ?? {};
    const code = reading?.unresponsive[this.#key];
    this.#parts.notAnswering.hidden = !code;
    this.#parts.notAnswering.textContent =
      code === "no_response"
        ? "This unit does not answer."
        : `This unit was not read: ${label(code ?? "").toLowerCase()}.`;
    for (const { field, row, shown, meter } of this.#rows) {
      const known = values[field.key];
      shown.textContent = value(field, known);
      shown.classList.toggle("unknown", shown.textContent === UNKNOWN);
      if (meter) {
        meter.style.inlineSize = `${typeof known === "number" ? Math.min(100, Math.max(0, known)) : 0}%`;
      }
      if (known !== undefined) {
        row.hidden = false;
      }
    }
    this.#showAlerts(values);
    this.#showNotSent();
  }

  remove() {
    this.#chart.remove();
  }

  #addValues(fields, powers, heading) {
    const main = fields.filter(isMain);
    const tiles = [
      ...TILES.map((key) => main.find((field) => field.key === key)).filter(Boolean),
      ...powers,
    ].slice(0, MOST_TILES);
    tiles.forEach((field) => this.#addRow(this.#parts.tiles, field, "tile"));
    this.#parts.tiles.hidden = !tiles.length;
    const rest = main.filter((field) => !tiles.includes(field));
    for (const [title, belongs] of GROUPS) {
      const group = rest.filter(belongs);
      if (group.length) {
        const section = create("section", "", `group ${title.toLowerCase()}`);
        const rows = create("dl", "", "rows");
        section.append(create(heading, title), rows);
        // a counter that the bridge itself keeps is in the history alone
        group.forEach((field) => (this.#addRow(rows, field).hidden = isEnergy(field)));
        this.#parts.values.append(section);
      }
    }
    const folded = fields.filter((field) => !isMain(field) && !LISTS.has(field.kind));
    // a profile lists what any of its models may send: sixteen cells, where this one has four
    folded.forEach((field) => (this.#addRow(this.#parts.rows, field).hidden = true));
    this.#parts.details.hidden = !folded.length;
  }

  #addRow(list, field, className) {
    const row = create("div", "", className);
    const shown = create("dd", UNKNOWN);
    shown.dataset.key = field.key;
    row.append(create("dt", label(field.key)), shown);
    let meter;
    if (className === "tile" && field.key === "battery_percentage") {
      const track = create("dd", "", "meter");
      track.setAttribute("aria-hidden", "true");
      meter = create("span");
      track.append(meter);
      row.append(track);
    }
    list.append(row);
    this.#rows.push({ field, row, shown, meter });
    return row;
  }

  #showAlerts(values) {
    const { alerts } = this.#parts;
    alerts.hidden = !this.#lists.length;
    const raised = this.#lists.filter(({ key }) => values[key]?.length);
    const unknown = this.#lists.filter(({ key }) => values[key] === undefined);
    const texts = raised.map((field) => `${label(field.key)}: ${value(field, values[field.key])}`);
    if (!raised.length && !unknown.length) {
      texts.push("No faults");
    } else if (unknown.length === this.#lists.length) {
      texts.push(`Faults: ${UNKNOWN}`);
    } else {
      texts.push(...unknown.map(({ key }) => `${label(key)}: ${UNKNOWN}`));
    }
    const level = raised.length ? "raised" : unknown.length ? "unknown" : "clear";
    alerts.dataset.level = level;
    alerts.replaceChildren(...texts.map((text) => create("li", text)));
  }

  #showNotSent() {
    const { notSent, rows } = this.#parts;
    const count = [...rows.children].filter((row) => row.hidden).length;
    notSent.hidden = !count;
    notSent.textContent =
      count === 1 ? "The device has not sent 1 more field." : `The device has not sent ${count} more fields.`;
  }
}
