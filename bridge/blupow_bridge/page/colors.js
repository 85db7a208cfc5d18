/** The color of each field: by what it is about, each once, the same in all charts of a unit. */

const PERCENTAGE = "battery_percentage";
const FAMILIES = [
  [/^solar/, "solar"],
  [/^(load|output)/, "load"],
  [/^(total_)?charg/, "charge"],
  [/^battery/, "battery"],
];
const SPARE = ["other", "battery", "charge", "load", "solar"];

/** Names of CSS variables, in the order of the fields. */
export function colorsOf(fields) {
  const taken = new Set();
  return fields.map(({ key }) => {
    if (key === PERCENTAGE) {
      return "--series-charge-state";
    }
    const wanted = FAMILIES.find(([pattern]) => pattern.test(key))?.[1];
    const free = SPARE.find((spare) => !taken.has(spare)) ?? SPARE[0];
    const name = wanted && !taken.has(wanted) ? wanted : free;
    taken.add(name);
    return `--series-${name}`;
  });
}
