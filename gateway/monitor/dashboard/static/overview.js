// The first ten seconds: do messages go out, how many, what is stuck, why, and what to do about it.

import { span, why } from "./accounts.js";
import { h, said, show } from "./dom.js";
import { pill, sparkline } from "./draw.js";
import { clock, count, isChinese, known, lasting, local, now, t } from "./words.js";

const sum = (numbers) => numbers.reduce((whole, number) => whole + (number ?? 0), 0);
const isPaused = (account) => account.holds.some((hold) => hold.target === "account");
const isAway = (account) => isPaused(account) || account.reachable === false || account.online === false;

/** Whether we hear from the gateway, in the head of the page. */
export function pulse(place, { document: doc, cutSince }) {
  if (cutSince !== null) show(place, pill("bad", t("pulse.cut")));
  else if (doc) show(place, pill("good", t("pulse.live")), h("span.quiet.version", {}, `v${doc.version}`));
  else show(place, pill("quiet", t("pulse.waiting")));
}

/** The line that says that all below is from an earlier time. */
export function cut(place, { cutSince }) {
  if (cutSince === null) return show(place);
  const since = Math.max(0, Date.now() - cutSince);
  show(
    place,
    h("p.cut", {}, h("strong", {}, t("cut.title", { at: clock(cutSince + (now() - Date.now())) })), " ", t("cut.detail", { time: lasting(since) })),
  );
}

/** What the whole comes to, in one sentence. */
export function headline(doc) {
  if (doc.status === "down") return t("state.down");
  if (doc.status === "ok") return t("state.ok");
  const accounts = Object.entries(doc.accounts);
  const away = accounts.filter(([, account]) => isAway(account)).map(([name]) => name);
  if (accounts.length && away.length === accounts.length) return t("state.nobody");
  return away.length ? t("state.some", { names: away.join(", ") }) : t("state.degraded");
}

function facts(doc) {
  const accounts = Object.values(doc.accounts);
  if (!accounts.length) return t("facts.none");
  const parked = sum(accounts.map((account) => account.parked));
  const told = [
    t("facts.sent", { n: count(sum(accounts.map((account) => account.sent["1m"]))) }),
    t("facts.flight", { n: count(sum(accounts.map((account) => account.in_flight))) }),
    doc.backlog.queued
      ? t(Number.isFinite(doc.backlog.oldest_waiting_ms) ? "facts.queued" : "facts.queued_only", {
          n: count(doc.backlog.queued),
          time: lasting(doc.backlog.oldest_waiting_ms),
        })
      : t("facts.empty"),
  ];
  if (parked) told.push(t("facts.parked", { n: count(parked) }));
  return told.join(t("facts.between"));
}

function reason(one, accounts) {
  const held = one.code === "account_paused" ? accounts[one.account]?.holds.find((hold) => hold.target === "account") : null;
  const advice = known(`advice.${held?.operator ? "operator" : held?.reason}`, null) ?? known(`advice.${one.code}`, null);
  const title = one.n ? t("trouble.tasks_failing", { n: count(one.n) }) : known(`trouble.${one.code}`, one.code.replaceAll("_", " "));
  return h(
    "li.reason",
    { "data-key": `${one.code} ${one.account ?? one.source ?? ""}` },
    h("p.what", {}, h("strong", {}, title), one.account || one.source ? h("span.of", {}, said(one.account ?? one.source)) : null),
    one.detail instanceof Node ? one.detail : h("p.detail", {}, held ? [why(held), span(held)] : said(local(one.detail))),
    h("p.advice", {}, h("span.do", {}, t("state.do")), (isChinese() && advice) || said(local(one.advice))),
  );
}

const CAUSES = ["redis_unavailable", "redis_takes_no_writes", "data_newer", "stopping"];

/** Causes first, what follows from them last: tasks that fail are told together. */
function reasons(doc) {
  const tasks = doc.reasons.filter((one) => one.code === "task_failing");
  const others = doc.reasons.filter((one) => one.code !== "task_failing");
  const rank = (one) => (CAUSES.includes(one.code) ? 0 : 1);
  others.sort((one, other) => rank(one) - rank(other));
  const told = others.map((one) => reason(one, doc.accounts));
  if (tasks.length === 1) told.push(reason(tasks[0], doc.accounts));
  if (tasks.length > 1) {
    const all = h("details", {}, h("summary", {}, said(local(tasks[0].detail))), h("ul", {}, tasks.slice(1).map((one) => h("li", {}, said(local(one.detail))))));
    told.push(reason({ ...tasks[0], code: "tasks_failing", detail: all, n: tasks.length }, doc.accounts));
  }
  return told;
}

/** The banner: how it is, in words, with every reason and what to do. */
export function state(place, { document: doc, kept }) {
  place.dataset.status = doc.status;
  show(
    place,
    h("div.headline", {}, h("h1", { id: "headline", "aria-live": "polite" }, headline(doc)), h("p.facts", {}, kept ? t("state.kept", { at: clock(kept) }) : facts(doc))),
    doc.reasons.length ? h("ul.reasons", {}, reasons(doc)) : null,
  );
}

function together(flow, name) {
  const all = Object.values(flow?.accounts ?? {});
  return all.length ? all[0][name].map((_, minute) => sum(all.map((account) => account[name][minute]))) : null;
}

function cell(name, number, under, values, kind) {
  const most = values ? Math.max(...values) : 0;
  const drawn = values
    ? [sparkline(values, most, t("flow.spark", { what: t(`flow.${name}`), n: count(sum(values)), most: count(most) }), kind)]
    : [];
  return h(
    "div.cell",
    { "data-key": name, "data-cell": name },
    h("p.cell-name", {}, t(`flow.${name}`)),
    h("p.cell-number", {}, number),
    h("p.cell-under", {}, under),
    drawn,
  );
}

/** In, waiting, sending, out: what came and went in the last hour, and what is under way now. */
export function flow(place, { document: doc, flow: hour }) {
  const accounts = Object.values(doc.accounts);
  const admitted = together(hour, "admitted");
  const sent = together(hour, "sent");
  const delivered = together(hour, "delivered");
  const undelivered = together(hour, "undelivered");
  const scheduled = sum(accounts.map((account) => account.scheduled));
  const oldest = doc.backlog.oldest_waiting_ms;
  show(
    place,
    cell("in", admitted ? count(sum(admitted)) : "–", t("flow.last_hour"), admitted),
    cell(
      "waiting",
      count(doc.backlog.queued),
      [
        Number.isFinite(oldest) && doc.backlog.queued ? t("flow.oldest", { time: lasting(oldest) }) : t("flow.now"),
        scheduled ? h("span.quiet", {}, t("flow.scheduled", { n: count(scheduled) })) : null,
      ],
      null,
    ),
    cell("sending", accounts.length ? count(sum(accounts.map((account) => account.in_flight))) : "–", sent ? t("flow.calls", { n: count(sum(sent)) }) : "–", sent, "muted"),
    cell(
      "out",
      delivered ? count(sum(delivered)) : "–",
      t("flow.last_hour"),
      delivered,
      "good",
    ),
    cell("lost", undelivered ? count(sum(undelivered)) : "–", t("flow.ended"), undelivered, "bad"),
  );
}
