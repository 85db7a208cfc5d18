/** Requests to the bridge, which this page came from. */

const BASE = "/api/v1";
const LARGEST_PAGE = 5000;
/** A clock that differs by less is taken as right: the header has whole seconds. */
const CLOCK_TOLERANCE = 5000;

let clockOffset = 0;

/** A request that was refused; status 0 is a bridge that does not answer. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The time (ms) by the clock of the bridge, which stamps the history; the one here may differ by hours. */
export function bridgeNow() {
  return Date.now() + clockOffset;
}

async function request(method, path, body) {
  let response, answer;
  try {
    response = await fetch(BASE + path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    answer = await response.json();
  } catch {
    throw new ApiError(response?.status ?? 0, "no_answer", "The bridge does not answer.");
  }
  const offset = Date.parse(response.headers.get("Date")) - Date.now();
  if (Number.isFinite(offset)) {
    clockOffset = Math.abs(offset) < CLOCK_TOLERANCE ? 0 : offset;
  }
  if (!response.ok) {
    const { code = "refused", message = "The bridge refused the request." } = answer.error ?? {};
    throw new ApiError(response.status, code, message);
  }
  return answer;
}

const ofDevice = (id) => `/devices/${encodeURIComponent(id)}`;

export const isLoggedIn = async () => (await request("GET", "/session")).open;
export const logIn = (token) => request("POST", "/session", { token });
export const logOut = () => request("DELETE", "/session");
export const stats = () => request("GET", "/stats");
export const mqtt = () => request("GET", "/mqtt");
export const resetReconnect = () => request("POST", "/mqtt/reset_reconnect");
export const fieldsOf = async (id) => (await request("GET", `${ofDevice(id)}/fields`)).units;
export const reconnect = (id) => request("POST", `${ofDevice(id)}/reconnect`);

/** All rows of the history of a unit; without `from`, those of the last 24 hours. */
export async function history(id, { unit, resolution, fields, from }) {
  const query = new URLSearchParams({ unit, resolution, fields: fields.join(","), limit: LARGEST_PAGE });
  if (from !== undefined) {
    query.set("from", new Date(from).toISOString());
  }
  const found = [];
  for (;;) {
    const { rows, cursor } = await request("GET", `${ofDevice(id)}/history?${query}`);
    found.push(...rows);
    if (cursor === null) {
      return found;
    }
    query.set("cursor", cursor);
  }
}
