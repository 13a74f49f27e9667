// What waits, why, and until when; with what is held though nothing waits there.

import { h, said, show } from "./dom.js";
import { pill } from "./draw.js";
import { why } from "./accounts.js";
import { clock, count, known, lasting, t, until } from "./words.js";

function rows(doc) {
  const holds = new Map();
  for (const [account, numbers] of Object.entries(doc.accounts)) {
    for (const hold of numbers.holds) if (hold.target !== "account") holds.set(`${account} ${hold.target}`, { account, ...hold });
  }
  const found = (doc.backlog.targets ?? []).map((lane) => {
    const key = `${lane.account} ${lane.target}`;
    const hold = holds.get(key);
    holds.delete(key);
    return { ...lane, key, hold };
  });
  for (const [key, hold] of holds) found.push({ key, account: hold.account, target: hold.target, queued: 0, hold });
  return found;
}

function reason(lane) {
  if (lane.hold) {
    return [
      pill(lane.hold.operator ? "warn" : "bad", t("reason.parked")),
      h("span.because", {}, why(lane.hold), lane.hold.operator ? h("span.quiet", {}, t("hold.by_operator")) : null),
    ];
  }
  const name = lane.reason ?? lane.state;
  return [pill(name === "paused" ? "bad" : "quiet", known(`reason.${name}`, name))];
}

function row(lane, accounts, may) {
  const ends = lane.hold?.until ?? lane.eta;
  return h(
    "tr",
    { "data-key": lane.key, "data-target": lane.target },
    h("td.target", {}, h("button.link", { type: "button", "data-act": "jobs-of", "data-target": lane.target, "data-account": lane.account }, said(lane.target)), accounts > 1 ? h("span.quiet.of", {}, said(lane.account)) : null),
    h("td.number", {}, h("b", {}, count(lane.queued)), Number.isFinite(lane.oldest_waiting_ms) ? h("span.quiet", {}, ` ${lasting(lane.oldest_waiting_ms)}`) : null),
    h("td.why", {}, reason(lane)),
    h("td.until", { "data-name": ends ? t("waiting.until") : null, title: ends ? clock(ends) : null }, ends ? until(ends) : ""),
    may("admin")
      ? h("td.act", {}, h("button", { type: "button", "data-act": lane.hold ? "release" : "park", "data-target": lane.target, "data-account": lane.account }, t(lane.hold ? "do.release" : "do.park")))
      : null,
  );
}

/** The fullest targets and everything on hold, in one table. */
export function waiting(place, { document: doc, may }) {
  const lanes = rows(doc);
  if (!lanes.length) return show(place, h("p.nothing", {}, t(Object.keys(doc.accounts).length ? "waiting.none" : "accounts.none")));
  const names = ["waiting.target", "waiting.queued", "waiting.why", "waiting.until"].map((name) => h("th", { scope: "col" }, t(name)));
  if (may("admin")) names.push(h("th", { scope: "col" }, h("span.unseen-title", {}, t("do.act"))));
  show(
    place,
    h(
      "table.lanes",
      {},
      h("thead", {}, h("tr", {}, names)),
      h("tbody", {}, lanes.map((lane) => row(lane, Object.keys(doc.accounts).length, may))),
    ),
  );
}
