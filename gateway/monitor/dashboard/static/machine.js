// What all of it runs on: where jobs come from, Redis, the replicas, the tasks of this process.

import { h, said, show } from "./dom.js";
import { gauge, pill } from "./draw.js";
import { ago, bytes, count, lasting, t } from "./words.js";

function box(name, ...inside) {
  return h("article.card", { "data-key": name, "data-box": name }, h("h3", {}, t(`machine.${name}`)), inside);
}

function line(name, ...value) {
  return h("div.line", { "data-key": typeof name === "string" ? name : name.textContent }, h("dt", {}, name), h("dd", {}, value));
}

function sources(doc) {
  const all = Object.entries(doc.sources);
  if (!all.length) return h("p.nothing", {}, "–");
  return h(
    "dl.lines",
    {},
    all.map(([name, source]) =>
      line(
        said(name),
        h("b", {}, count(source.depth)),
        h("span.quiet", {}, ` ${t("machine.entries")}`),
        Number.isFinite(source.oldest_age_ms) ? h("span.quiet", {}, ` · ${lasting(source.oldest_age_ms)}`) : null,
        " ",
        pill(source.reader === "none" ? "bad" : "quiet", t(`reader.${source.reader}`)),
      ),
    ),
  );
}

function redis({ redis: server }) {
  if (!server.version) return h("p.nothing", {}, t("machine.redis_away"));
  const full = server.maxmemory ? server.used_memory / server.maxmemory : null;
  return h(
    "dl.lines",
    {},
    line(t("machine.version"), `${server.version} · ${server.role}`),
    line(t("machine.latency"), Number.isFinite(server.latency_ms) ? `${server.latency_ms.toFixed(1)} ms` : "–"),
    line(
      t("machine.memory"),
      bytes(server.used_memory),
      server.maxmemory ? ` / ${bytes(server.maxmemory)}` : null,
      full === null ? null : gauge(full, full > 0.85 ? "is-full" : ""),
    ),
    line(t("machine.persistence"), pill(server.persistence === "ok" ? "good" : "bad", t(`persistence.${server.persistence}`))),
  );
}

function replicas(doc) {
  return h(
    "dl.lines",
    {},
    doc.replicas.map((replica) => line(said(`${replica.host}:${replica.pid}`), h("span.quiet", {}, `v${replica.version} · `), t("machine.up", { time: lasting(Date.parse(doc.at) - Date.parse(replica.began_at)) }), Date.parse(doc.at) - Date.parse(replica.seen_at) > 15_000 ? [" ", pill("warn", ago(replica.seen_at))] : null)),
  );
}

function tasks(doc) {
  const all = Object.entries(doc.tasks);
  const failing = all.filter(([, how]) => how !== "ok");
  return [
    h("p", {}, failing.length ? pill("bad", t("machine.failing", { n: failing.length })) : pill("good", t("machine.well", { n: all.length }))),
    h("dl.lines", {}, failing.map(([name, how]) => line(said(name), said(how)))),
  ];
}

function hooks(doc) {
  return h(
    "dl.lines",
    {},
    Object.entries(doc.hooks).map(([name, tally]) => line(said(name), Object.entries(tally).filter(([, number]) => number).map(([what, number]) => h("span.tally", {}, said(what.replaceAll("_", " ")), " ", h("b", {}, count(number)))))),
  );
}

/** Everything that is not an account. */
export function machine(place, { document: doc }) {
  show(
    place,
    box("sources", sources(doc)),
    box("redis", redis(doc)),
    doc.replicas.length ? box("replicas", replicas(doc)) : null,
    box("tasks", tasks(doc)),
    Object.keys(doc.hooks).length ? box("hooks", hooks(doc)) : null,
  );
}
