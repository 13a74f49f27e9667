// A card for each account: whether it sends, how much, how well, and what holds it.

import { code, h, said, show } from "./dom.js";
import { gauge, pill, shares, sparkline } from "./draw.js";
import { ago, clock, count, known, lasting, now, share, t, until } from "./words.js";

const VERDICTS = ["delivered", "retry", "unknown", "rejected"];

/** Why something is held, in words where the reason is one of ours. */
export function why(hold) {
  return hold.operator ? said(hold.reason) : known(`hold.${hold.reason}`, null) ?? said(hold.reason);
}

/** Since when something is held, by whom, and when it goes on. */
export function span(hold) {
  return [t("hold.since", { at: clock(hold.since, { seconds: false }) }), hold.operator ? t("hold.by_operator") : null, t("hold.until", { until: until(hold.until) })];
}

/** The hold of the account itself, if there is one. */
const pauseOf = (account) => account.holds.find((hold) => hold.target === "account");

function how(account) {
  const paused = pauseOf(account);
  if (paused) return pill(paused.operator ? "warn" : "bad", t("account.paused"));
  if (account.reachable === false) return pill("bad", t("account.unreachable"));
  if (account.online === false) return pill("bad", t("account.offline"));
  if (account.breaker !== "closed") return pill("warn", t(`breaker.${account.breaker}`));
  if (account.slowed.some((one) => one.target === "account")) return pill("warn", t("account.slowed"));
  return account.in_flight ? pill("good", t("account.sending")) : pill("good", t("account.ready"));
}

const either = (value, yes, no) => (value === null ? null : t(value ? yes : no));

function figure(name, ...value) {
  return h("div.figure", {}, h("dt", {}, t(name)), h("dd", {}, value));
}

function rate(one) {
  const most = Number.parseInt(one.rate, 10);
  const opens = Date.parse(one.opens_at) - now();
  const full = one.used >= most;
  return h(
    "div.rate",
    { "data-key": one.rate },
    h("span.rate-name", {}, one.rate, one.observed ? h("span.quiet", {}, ` ${t("rate.observed")}`) : null),
    gauge(one.used / most, full ? "is-full" : ""),
    h("span.rate-used", {}, `${count(one.used)}/${count(most)}`, full && opens > 0 ? h("span.quiet", {}, ` ${t("rate.opens", { time: lasting(opens) })}`) : null),
  );
}

function held(account) {
  const paused = pauseOf(account);
  const slowed = account.slowed.find((one) => one.target === "account");
  return [
    paused
      ? h("p.held", {}, h("strong", {}, why(paused)), h("span.quiet", {}, span(paused)))
      : null,
    slowed ? h("p.held", {}, h("strong", {}, t("account.slowed_by", { n: slowed.factor })), h("span.quiet", {}, why(slowed), " · ", until(slowed.until))) : null,
  ];
}

function events(told) {
  const words = [t(`events.${told.listening}`)];
  if (told.listening === "connecting" && told.since) words.push(` · ${ago(told.since)}`);
  return words;
}

function card(name, account, hour, may) {
  const paused = pauseOf(account);
  const answered = account.sent["60m"];
  return h(
    "article.card.account",
    { "data-key": name, "data-account": name, "aria-label": name },
    h(
      "header",
      {},
      h("h3", {}, said(name), how(account)),
      may("admin")
        ? h("button", { type: "button", "data-act": paused ? "resume" : "pause", "data-account": name }, t(paused ? "do.resume" : "do.pause"))
        : null,
      h("p.quiet", {}, [account.self_id ? said(account.self_id) : null, either(account.reachable, "reachable.true", "reachable.false"), either(account.online, "online.true", "online.false")].filter(Boolean).map((one, index) => [index ? " · " : "", one])),
    ),
    held(account),
    answered ? sparkline(hour?.sent ?? [], Math.max(...(hour?.sent ?? [])), t("account.spark", { n: count(answered) }), "muted") : null,
    h(
      "dl.figures",
      {},
      h("div.figure.wide", {}, h("dt", {}, t("account.sent")), h("dd", {}, h("b", {}, count(account.sent["1m"])), h("span.quiet", {}, ` / ${count(account.sent["5m"])} / ${count(answered)}`))),
      figure("account.flight", h("b", {}, count(account.in_flight))),
      figure("account.queued", h("b", {}, count(account.queued)), account.oldest_waiting_ms && account.queued ? h("span.quiet", {}, ` ${lasting(account.oldest_waiting_ms)}`) : null),
      figure("account.unknown", h(account.unknown_share >= 0.2 ? "b.is-bad" : "b", {}, share(account.unknown_share))),
      figure("account.events", events(account.events)),
    ),
    answered ? shares(VERDICTS.map((verdict) => [verdict, account.verdicts[verdict]])) : null,
    answered ? h(
      "p.legend",
      {},
      VERDICTS.map((verdict) => h("span", { "data-key": verdict }, h(`i.dot.is-${verdict}`), `${t(`verdict.${verdict}`)} `, h("b", {}, count(account.verdicts[verdict])))),
    ) : null,
    account.rates.length ? h("div.rates", {}, account.rates.map(rate)) : null,
    account.unmatched.length
      ? h("p.note", {}, t("account.unmatched", { n: count(account.unmatched.reduce((sum, one) => sum + one.times, 0)) }), " ", h("a", { href: `#job/${account.unmatched[0].last_job}` }, code(account.unmatched[0].last_job.slice(0, 18), {}), "…"))
      : null,
    account.callbacks.waiting ? h("p.note", {}, t("account.callbacks", { n: count(account.callbacks.waiting), time: lasting(account.callbacks.oldest_age_ms ?? 0) })) : null,
  );
}

/** Every account, in the order of the settings. */
export function accounts(place, { document: doc, flow, may }) {
  const all = Object.entries(doc.accounts);
  show(place, all.length ? all.map(([name, account]) => card(name, account, flow?.accounts[name], may)) : h("p.card.nothing", { "data-key": "" }, t("accounts.none")));
}
