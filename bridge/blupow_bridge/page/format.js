/** Words and numbers for people. */

export const UNKNOWN = "—";

const ACRONYMS = { ac: "AC", dc: "DC", bms: "BMS", id: "ID", mosfet: "MOSFET", mppt: "MPPT", pv: "PV" };
/** One thing has one name in all texts; the keys are older. */
const NAMES = { mains: "grid", line: "grid" };
const YES_OR_NO = /(ed|request)$/;
const NUMBERS = new Intl.NumberFormat(undefined, { maximumFractionDigits: 3 });
const DAYS = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const TIMES = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });

const STATES = {
  connected: { text: "Connected", tone: "good" },
  offline: { text: "Offline", tone: "warning" },
  disconnected: { text: "Disconnected", tone: "bad" },
  lost: { text: "Lost", tone: "bad" },
  not_heard: { text: "Not heard", tone: "neutral" },
  test_mode: { text: "Test mode", tone: "neutral" },
};

/** "battery_voltage" is "Battery voltage". */
export function label(key) {
  const words = key.split("_").map((word) => ACRONYMS[word] ?? NAMES[word] ?? word);
  const text = words.join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "12_v" is "12 V"; other choices are words. */
function choice(value) {
  return /^\d+_v$/.test(value) ? value.replace("_v", "\u00a0V") : label(value);
}

export function state(status) {
  return STATES[status] ?? { text: label(status), tone: "neutral" };
}

export function number(value, unit) {
  if (typeof value !== "number") {
    return UNKNOWN;
  }
  const text = NUMBERS.format(value).replace("-", "\u2212");
  if (!unit) {
    return text;
  }
  return unit === "%" ? `${text}%` : `${text}\u00a0${unit}`;
}

/** An energy as in a column of them, without its unit. */
export function energy(value, unit) {
  const digits = unit === "kWh" ? 2 : 0;
  return value.toLocaleString(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The value of a field, of any kind. */
export function value(field, found) {
  if (found === undefined || found === null) {
    return UNKNOWN;
  }
  if (typeof found === "number") {
    return number(found, field.unit_of_measurement);
  }
  if (typeof found === "boolean") {
    const [yes, no] = YES_OR_NO.test(field.key) ? ["Yes", "No"] : ["On", "Off"];
    return found ? yes : no;
  }
  if (Array.isArray(found)) {
    return found.length ? found.map(choice).join(", ") : "None";
  }
  return field.kind === "enum" ? choice(found) : found;
}

/** "2 h 5 min"; no more than the two largest parts. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) {
    return "0\u00a0s";
  }
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([count, unit]) => `${count}\u00a0${unit}`).join(" ");
}

export function age(seconds) {
  return seconds < 2 ? "just now" : `${duration(seconds)} ago`;
}

/** A message of the bridge as a sentence. */
export function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

export const time = (seconds) => TIMES.format(seconds * 1000);

/** The day that begins at a moment, in the time zone of the bridge. */
export function day(start, now) {
  // its middle falls on the same date here, unless the two zones are half a day apart
  const middle = Date.parse(start) + 12 * 3600e3;
  const days = Math.floor((new Date(now).setHours(0, 0, 0, 0) - new Date(middle).setHours(0, 0, 0, 0)) / 86_400e3 + 0.5);
  return ["Today", "Yesterday"][days] ?? DAYS.format(middle);
}
