// Asking the gateway, and being told what went wrong.

/** What the gateway refused, in its own words. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? `HTTP ${status}`);
    this.status = status;
    this.code = problem?.code ?? "";
    this.errors = problem?.errors ?? [];
  }
}

let onSignedOut = () => {};

/** Call DO when the gateway no longer knows who we are. */
export function whenSignedOut(call) {
  onSignedOut = call;
}

/** Ask for PATH; returns the answer's JSON, null where it has none. Throws Refused, or TypeError when nobody answers. */
export async function ask(path, { method = "GET", body, quiet = false } = {}) {
  const options = { method, credentials: "same-origin", cache: "no-store", redirect: "error" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  const answer = await fetch(path, options);
  const text = await answer.text();
  let told = null;
  try {
    told = text ? JSON.parse(text) : null;
  } catch {
    // a proxy's page, perhaps; the status says enough
  }
  if (answer.ok) return told;
  if (answer.status === 401 && !quiet) onSignedOut();
  throw new Refused(answer.status, told);
}

/** A path whose parts may be anything. */
export function path(...parts) {
  return `/${parts.map((part) => encodeURIComponent(part).replaceAll("%3A", ":")).join("/")}`;
}

/** A query of what is given. */
export function query(fields) {
  const given = Object.entries(fields).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
