// One job: what happened to it and when, what NapCat said, and what it says itself.

import { ask, path, Refused } from "./api.js";
import { code, h, said, show } from "./dom.js";
import { because, LETTERS, statePill } from "./jobs.js";
import { message } from "./message.js";
import { clock, count, t, took, until } from "./words.js";

const FINAL = new Set(["delivered", "rejected", "dead", "unconfirmed", "expired", "cancelled"]);
const VERDICTS = { delivered: "good", retry: "quiet", unknown: "warn", rejected: "bad" };

function step(kind, at, what, ...more) {
  return h("li.step", {}, h(`i.mark.${kind}`, { "aria-hidden": "true" }), h("div.step-in", {}, h("p", {}, h("b", {}, what), h("time.quiet", { datetime: at }, ` ${clock(at, { millis: true })}`)), more));
}

function attempt(one, parts) {
  const verdict = one.verdict ?? "open";
  const codes = ["http_status", "retcode", "result"].filter((name) => one[name] !== undefined).map((name) => `${t(`attempt.${name}`)} ${one[name]}`);
  return step(
    VERDICTS[verdict] ?? "accent",
    one.began_at,
    [t("attempt.title", { n: one.n }), parts > 1 ? t("attempt.part", { n: one.part + 1 }) : "", " — ", t(`verdict.${verdict}`)],
    h(
      "p.quiet",
      {},
      [one.took_ms === undefined ? t("attempt.unanswered") : t("attempt.took", { time: took(one.took_ms) }), ...codes].join(" · "),
      one.rule ? [" · ", t("attempt.rule"), " ", code(one.rule)] : null,
    ),
    one.text ? h("p.words", {}, said(one.text)) : null,
  );
}

function ending(job) {
  if (!FINAL.has(job.state)) {
    return h("li.step", {}, h("i.mark.open", { "aria-hidden": "true" }), h("div.step-in", {}, h("p", {}, h("b", {}, t(`job.${job.state}`)), job.eta ? h("span.quiet", {}, ` ${until(job.eta)} (${clock(job.eta)})`) : null), because(job) ? h("p.quiet", {}, because(job)) : null));
  }
  const kind = job.state === "delivered" ? "good" : job.state === "unconfirmed" ? "warn" : LETTERS.includes(job.state) ? "bad" : "quiet";
  const told = [
    job.code ? [t("job.code"), " ", code(job.code)] : null,
    job.evidence ? t(`evidence.${job.evidence}`) : null,
    job.message_ids.length ? t("job.messages", { ids: job.message_ids.join(", ") }) : null,
    job.corrected ? t("job.corrected") : null,
  ].filter(Boolean);
  return step(kind, job.ended_at, t(`job.${job.state}`), h("p.quiet", {}, told.map((one, index) => [index ? " · " : "", one])));
}

function field(name, ...value) {
  return h("div.line", { "data-key": name }, h("dt", {}, t(name)), h("dd", {}, value));
}

/** The sheet in which one job is shown, for as long as it is open. */
export class Sheet {
  constructor(dialog, place, may) {
    this.dialog = dialog;
    this.place = place;
    this.may = may;
    this.id = null;
    this.job = null;
    dialog.addEventListener("close", () => {
      this.id = null;
      if (location.hash.startsWith("#job/")) history.replaceState(null, "", location.pathname);
      this.back?.isConnected && this.back.focus();
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }

  /** Show the job ID. */
  async open(id) {
    if (!this.dialog.open) this.back = document.activeElement;
    Object.assign(this, { id, job: null, said: null, note: "", missing: false });
    this.render();
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
    await this.load();
  }

  /** Look again, as long as the job may change. */
  async keepUp() {
    const over = this.missing || (this.job && FINAL.has(this.job.state));
    if (this.id !== null && this.dialog.open && !this.busy && !over) await this.load();
  }

  async load() {
    const id = this.id;
    this.busy = true;
    try {
      const job = await ask(path("v1", "jobs", id));
      if (id !== this.id) return;
      const known = this.said !== null && this.job?.parts.delivered === job.parts.delivered;
      this.job = job;
      this.note = "";
      if (job.state === "delivered") {
        this.said = "gone";
        return;
      }
      if (known) return;
      try {
        const words = await ask(path("v1", "jobs", id, "message"));
        if (id === this.id) this.said = words;
      } catch (error) {
        if (!(error instanceof Refused) || error.code !== "message_gone") throw error;
        if (id === this.id) this.said = "gone";
      }
    } catch (error) {
      this.note = error instanceof Refused ? error.message : t("jobs.failed");
      this.missing = error instanceof Refused && error.status === 404;
    } finally {
      this.busy = false;
      this.render();
    }
  }

  render() {
    if (this.id === null) return;
    const { job } = this;
    show(
      this.place,
      h("header", {}, h("h2", { id: "job-title" }, t("job.title")), job ? statePill(job.state) : null, h("button.close", { type: "button", "data-act": "close-sheet", "aria-label": t("do.close") }, "×")),
      h("p.job-id", {}, code(this.id)),
      this.note ? h("p.error", {}, said(this.note)) : null,
      job ? this.told(job) : null,
    );
  }

  told(job) {
    const [kind, number] = job.target.split(":");
    return [
      job.state && LETTERS.includes(job.state) && this.may("admin")
        ? h("p.acts", {}, h("button.main", { type: "button", "data-act": "replay", "data-job": job.id, "data-state": job.state }, t("do.replay")))
        : null,
      h(
        "dl.lines",
        {},
        field("job.target", t(`kind.${kind}`), " ", said(number)),
        field("job.account", said(job.account)),
        job.key ? field("job.key", code(job.key)) : null,
        field("job.parts", t("job.parts_of", { n: count(job.parts.delivered), all: count(job.parts.total) })),
        job.replay_of ? field("job.replay_of", h("a", { href: `#job/${job.replay_of}` }, code(job.replay_of))) : null,
        job.recalled_at ? field("job.recalled", clock(job.recalled_at)) : null,
      ),
      h("h3", {}, t("job.timeline")),
      h("ol.timeline", {}, step("quiet", job.created_at, t("job.accepted")), (job.attempts ?? []).map((one) => attempt(one, job.parts.total)), ending(job)),
      h("h3", {}, t("job.message")),
      message(this.said),
      job.metadata ? [h("h3", {}, t("job.metadata")), h("pre", {}, said(JSON.stringify(job.metadata, null, 2), { lines: true }))] : null,
    ];
  }
}
