/** What a unit has counted each day: a table whose cells have bars. */

import { bridgeNow, history } from "./api.js";
import { colorsOf } from "./colors.js";
import { day, energy, label, sentence, UNKNOWN } from "./format.js";

const DAYS = 14;
const DAY = 86_400e3;
/** Days are worked out once a minute; a sum of a day need not be younger than this. */
const OLD = 300e3;

function cell(tag, text, scope) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (scope) {
    element.scope = scope;
  }
  return element;
}

export class EnergyTable {
  #root;
  #fields;
  #query;
  #loadedAt = 0;

  constructor(root, { device, unit, fields }) {
    this.#root = root;
    this.#fields = fields;
    this.#query = [device, { unit, resolution: "day", fields: fields.map(({ key }) => key) }];
    root.hidden = this.isEmpty;
  }

  /** Whether the unit counts no energy. */
  get isEmpty() {
    return !this.#fields.length;
  }

  async load() {
    if (this.isEmpty) {
      return;
    }
    this.#loadedAt = Date.now();
    const [device, query] = this.#query;
    try {
      this.#show(await history(device, { ...query, from: bridgeNow() - DAYS * DAY }));
    } catch (error) {
      this.#tell(`The energy cannot be shown. ${sentence(error.message)}`);
    }
  }

  loadIfOld() {
    if (Date.now() - this.#loadedAt > OLD) {
      this.load();
    }
  }

  #tell(text) {
    const note = this.#root.querySelector(".no-data");
    note.hidden = !text;
    note.textContent = text;
  }

  #show(rows) {
    const table = this.#root.querySelector("table");
    table.tHead.replaceChildren();
    table.tBodies[0].replaceChildren();
    this.#tell(rows.length ? "" : "Nothing is counted yet. The first sums come within a few minutes.");
    if (!rows.length) {
      return;
    }
    const head = table.tHead.insertRow();
    head.append(cell("th", "Day", "col"));
    for (const { key, unit_of_measurement: unit } of this.#fields) {
      head.append(cell("th", `${label(key).replace(/ total$/, "")} (${unit})`, "col"));
    }
    const added = (row, { key }) => row.values[key]?.added ?? null;
    // one scale for all columns of a unit: what is longer is more
    const most = {};
    for (const field of this.#fields) {
      const unit = field.unit_of_measurement;
      most[unit] = Math.max(most[unit] ?? 0, ...rows.map((row) => added(row, field) ?? 0));
    }
    const colors = colorsOf(this.#fields);
    for (const row of [...rows].reverse()) {
      const line = table.tBodies[0].insertRow();
      line.append(cell("th", day(row.at, bridgeNow()), "row"));
      for (const [index, field] of this.#fields.entries()) {
        const found = added(row, field);
        const data = cell("td", found === null ? UNKNOWN : energy(found, field.unit_of_measurement));
        const part = found && most[field.unit_of_measurement] ? found / most[field.unit_of_measurement] : 0;
        data.style.setProperty("--part", `${(100 * part).toFixed(1)}%`);
        data.style.setProperty("--bar", `var(${colors[index]})`);
        data.dataset.key = field.key;
        line.append(data);
      }
    }
  }
}
