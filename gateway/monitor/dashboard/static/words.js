// What the page says, in the reader's language, and how numbers and times are written there.

let table = {};
let locale = "en";
let ahead = 0; // milliseconds by which the gateway's clock is ahead of this one

/** Read the words, and choose the language: Chinese for who reads Chinese, else English. */
export async function learn() {
  const answer = await fetch("/dashboard/words.json");
  table = await answer.json();
  locale = (navigator.languages?.[0] ?? navigator.language ?? "en").toLowerCase().startsWith("zh") ? "zh" : "en";
  document.documentElement.lang = locale === "zh" ? "zh-Hans" : "en";
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = t(element.dataset.say);
}

/** The words under KEY, with `{name}` replaced. */
export function t(key, values = {}) {
  const words = table[key]?.[locale] ?? key;
  return words.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** The words under KEY if there are any, else OTHERWISE. */
export function known(key, otherwise) {
  return table[key] ? t(key) : otherwise;
}

export const isChinese = () => locale === "zh";

/** A number, or a dash where it is not known. */
export function count(number) {
  return Number.isFinite(number) ? new Intl.NumberFormat(locale).format(number) : "–";
}

/** A share as a percentage. */
export function share(number) {
  if (!Number.isFinite(number)) return "–";
  return new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: number < 0.1 ? 1 : 0 }).format(number);
}

/** Bytes, as people write them. */
export function bytes(number) {
  if (!Number.isFinite(number)) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, number)) / 10));
  const value = number / 1024 ** step;
  return `${new Intl.NumberFormat(locale, { maximumFractionDigits: value < 10 && step ? 1 : 0 }).format(value)} ${units[step]}`;
}

/** A length of time, in its two largest units. */
export function lasting(milliseconds) {
  if (!Number.isFinite(milliseconds)) return "–";
  const seconds = Math.max(1, Math.floor(milliseconds / 1000));
  const units = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  const told = [];
  let left = seconds;
  for (const [name, size] of units.slice(first, first + 2)) {
    const number = Math.floor(left / size);
    left -= number * size;
    if (number) told.push(t(`time.${name}`, { n: number }));
  }
  return told.join(" ");
}

/** How long one call took. */
export function took(milliseconds) {
  return milliseconds < 10_000 ? t("time.ms", { n: count(milliseconds) }) : lasting(milliseconds);
}

/** Words of the gateway with its times as the reader's. */
export function local(words) {
  return words.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, (instant) => clock(instant, { seconds: false }));
}

/** Note what time it is at the gateway. */
export function setClock(instant) {
  const there = Date.parse(instant);
  if (Number.isFinite(there)) ahead = there - Date.now();
}

/** What time it is at the gateway, in milliseconds. */
export const now = () => Date.now() + ahead;

/** A time of day; with its date when that is another. */
export function clock(instant, { seconds = true, millis = false } = {}) {
  const at = typeof instant === "number" ? instant : Date.parse(instant);
  if (!Number.isFinite(at)) return "–";
  const day = new Date(at).toDateString() === new Date(now()).toDateString();
  const form = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (seconds) form.second = "2-digit";
  if (millis) form.fractionalSecondDigits = 3;
  if (!day) Object.assign(form, { month: "short", day: "numeric" });
  return new Intl.DateTimeFormat(locale === "zh" ? "zh-CN" : "en-GB", form).format(at);
}

/** How long ago something was. */
export function ago(instant) {
  const past = now() - Date.parse(instant);
  return past < 1000 ? t("time.now") : t("time.ago", { time: lasting(past) });
}

/** In how long something will be. A hold without an end lasts until the year 2100. */
export function until(instant) {
  const left = Date.parse(instant) - now();
  if (!Number.isFinite(left)) return "–";
  if (left > 20 * 365 * 86400_000) return t("time.released");
  return left < 1000 ? t("time.any") : t("time.in", { time: lasting(left) });
}
