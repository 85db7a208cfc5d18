/** The chart of a day: powers, and the state of charge on an axis of its own. */

import { bridgeNow, history } from "./api.js";
import { colorsOf } from "./colors.js";
import { label, number, sentence, time, UNKNOWN } from "./format.js";

const DAY = 86_400;
const SHORTEST = 900;
const WIDE = 560;
/** A live reading and its row in the history differ by so many seconds at most. */
const SAME = 2;
const PERCENTAGE = "battery_percentage";
const dark = matchMedia("(prefers-color-scheme: dark)");

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class DayChart {
  #query;
  #fields;
  #colors;
  #points = [];
  #shown;
  #gap;
  #plot = null;
  #parts;
  #observer;
  #repaint = () => this.#draw({ anew: true }); // a canvas does not take new colors by itself

  constructor(root, { device, unit, interval, fields }) {
    this.#fields = fields;
    this.#query = [device, { unit, resolution: "raw", fields: fields.map(({ key }) => key) }];
    this.#gap = 3 * interval + 60;
    this.#colors = colorsOf(fields);
    this.#shown = new Set(fields.map(({ key }) => key));
    const part = (selector) => root.querySelector(selector);
    this.#parts = { plot: part(".plot"), noData: part(".no-data"), legend: part(".legend") };
    root.hidden = this.isEmpty;
    this.#addLegend();
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(this.#parts.plot);
    dark.addEventListener("change", this.#repaint);
  }

  /** Whether the unit has nothing to draw. */
  get isEmpty() {
    return !this.#fields.length;
  }

  async load() {
    if (this.isEmpty) {
      return;
    }
    try {
      const rows = await history(...this.#query);
      const points = rows.map(({ at, values }) => ({ at: Date.parse(at) / 1000, values }));
      const last = points.at(-1)?.at ?? -Infinity;
      this.#points = [...points, ...this.#points.filter(({ at }) => at > last + SAME)];
      this.#draw();
    } catch (error) {
      this.#tell(`The history cannot be shown. ${sentence(error.message)}`);
    }
  }

  /** Add a reading as it comes. */
  add(age, values) {
    const at = bridgeNow() / 1000 - age;
    if (this.isEmpty || at <= (this.#points.at(-1)?.at ?? -Infinity)) {
      return;
    }
    this.#points.push({ at, values });
    this.#draw();
  }

  remove() {
    this.#observer.disconnect();
    dark.removeEventListener("change", this.#repaint);
    this.#plot?.destroy();
  }

  #tell(text) {
    this.#parts.noData.hidden = !text;
    this.#parts.noData.textContent = text;
  }

  #draw({ anew = false } = {}) {
    const first = bridgeNow() / 1000 - DAY;
    this.#points = this.#points.filter(({ at }) => at >= first);
    const empty = !this.#points.length;
    this.#parts.plot.hidden = this.#parts.legend.hidden = empty;
    this.#tell(empty ? "No readings yet. The chart begins with the next one." : "");
    this.#parts.plot.setAttribute("aria-label", this.#description());
    if (this.#plot && !anew && !empty) {
      this.#plot.setData(this.#columns());
      return;
    }
    this.#plot?.destroy();
    this.#plot = null;
    this.#showValues(null);
    if (!empty) {
      this.#plot = new uPlot(this.#options(), this.#columns(), this.#parts.plot);
    }
  }

  /** The points by column, with a hole where readings are missing. */
  #columns() {
    const columns = [[], ...this.#fields.map(() => [])];
    let before = null;
    for (const { at, values } of this.#points) {
      if (before !== null && at - before > this.#gap) {
        columns.forEach((column, index) => column.push(index ? null : before + 1));
      }
      columns[0].push(at);
      this.#fields.forEach(({ key }, index) => columns[index + 1].push(values[key] ?? null));
      before = at;
    }
    return columns;
  }

  #options() {
    const axis = { stroke: color("--muted"), font: "12px system-ui, sans-serif", ticks: { show: false } };
    const grid = { stroke: color("--line"), width: 1 };
    const percent = this.#fields.some(({ key }) => key === PERCENTAGE);
    const power = this.#fields.some(({ key }) => key !== PERCENTAGE);
    return {
      width: this.#parts.plot.clientWidth,
      height: this.#height,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      hooks: { setCursor: [(plot) => this.#showValues(plot.cursor.idx)] },
      scales: {
        x: { range: () => this.#span() },
        W: { range: (_, low, high) => uPlot.rangeNum(Math.min(0, low ?? 0), Math.max(10, high ?? 0), 0.1, true) },
        "%": { range: [0, 100] },
      },
      axes: [
        { ...axis, grid: { show: false }, space: 70, size: 38, gap: 10, values: (_, splits) => splits.map(time) },
        { ...axis, show: power, scale: "W", grid, size: 58, values: (_, splits) => splits.map((at) => number(at, "W")) },
        {
          ...axis, show: percent, scale: "%", side: power ? 1 : 3, grid: power ? { show: false } : grid, size: 50,
          splits: () => [0, 25, 50, 75, 100],
          values: (_, splits) => splits.map((at) => number(at, "%")),
        },
      ],
      series: [
        {},
        ...this.#fields.map(({ key }, index) => ({
          scale: key === PERCENTAGE ? "%" : "W",
          stroke: color(this.#colors[index]),
          width: 1.5,
          dash: key === PERCENTAGE ? [6, 4] : undefined,
          points: { size: 5 },
          show: this.#shown.has(key),
        })),
      ],
    };
  }

  /** From the first reading of the day until now, so that a young history is not a speck at the edge. */
  #span() {
    const now = bridgeNow() / 1000;
    const last = Math.max(now, this.#points.at(-1)?.at ?? now);
    return [Math.min(this.#points[0]?.at ?? now, last - SHORTEST), last];
  }

  get #height() {
    return this.#parts.plot.clientWidth < WIDE ? 230 : 380;
  }

  #resize() {
    const width = this.#parts.plot.clientWidth;
    if (this.#plot && width && width !== this.#plot.width) {
      this.#plot.setSize({ width, height: this.#height });
    }
  }

  #addLegend() {
    for (const [index, { key }] of this.#fields.entries()) {
      const button = document.createElement("button");
      const swatch = document.createElement("span");
      const shown = document.createElement("span");
      button.type = "button";
      button.dataset.key = key;
      button.setAttribute("aria-pressed", "true");
      swatch.className = "swatch";
      swatch.classList.toggle("dashed", key === PERCENTAGE);
      swatch.style.color = `var(${this.#colors[index]})`;
      shown.className = "shown";
      button.append(swatch, label(key), shown);
      button.addEventListener("click", () => this.#toggle(button, key, index));
      this.#parts.legend.append(button);
    }
  }

  #toggle(button, key, index) {
    const show = !this.#shown.delete(key);
    if (show) {
      this.#shown.add(key);
    }
    button.setAttribute("aria-pressed", String(show));
    this.#plot?.setSeries(index + 1, { show });
  }

  /** Beside the names, the values under the cursor: nothing where there is none. */
  #showValues(position) {
    const columns = typeof position === "number" ? this.#plot?.data : undefined;
    for (const [index, button] of [...this.#parts.legend.children].entries()) {
      const found = columns?.[index + 1][position];
      button.querySelector(".shown").textContent =
        found === undefined ? "" : number(found, this.#fields[index].unit_of_measurement);
    }
    const at = columns?.[0][position];
    this.#parts.legend.dataset.at = at === undefined ? "" : time(at);
  }

  /** What the chart shows, in words. */
  #description() {
    const lines = this.#fields.map(({ key, unit_of_measurement: unit }) => {
      const found = this.#points.map(({ values }) => values[key]).filter((one) => typeof one === "number");
      if (!found.length) {
        return `${label(key)}: ${UNKNOWN}`;
      }
      let [low, high] = [Infinity, -Infinity];
      found.forEach((one) => ([low, high] = [Math.min(low, one), Math.max(high, one)]));
      return `${label(key)}: ${number(low, unit)} to ${number(high, unit)}, at the end ${number(found.at(-1), unit)}`;
    });
    return `Chart of the last 24 hours. ${lines.join(". ")}.`;
  }
}
