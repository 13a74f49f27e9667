// The list of jobs: newest first, by how they are, and found by id, key or target.

import { ask, path, query, Refused } from "./api.js";
import { code, h, said, show } from "./dom.js";
import { pill } from "./draw.js";
import { ago, clock, count, known, t, until } from "./words.js";

const PAGE = 25;
const FINAL = new Set(["delivered", "rejected", "dead", "unconfirmed", "expired", "cancelled"]);
/** What ended as a dead letter, and can be sent again. */
export const LETTERS = ["dead", "rejected", "unconfirmed"];
const FILTERS = {
  all: [],
  open: ["queued", "waiting", "sending", "unknown"],
  delivered: ["delivered"],
  letters: LETTERS,
  withdrawn: ["expired", "cancelled"],
};
const KINDS = { delivered: "good", rejected: "bad", dead: "bad", unconfirmed: "warn", unknown: "warn", sending: "accent" };

/** The state of a job as a pill. */
export const statePill = (state) => pill(KINDS[state] ?? "quiet", t(`job.${state}`));

/** Why a job waits, or ended as it did. */
export function because(job) {
  const words = job.reason ? known(`reason.${job.reason}`, job.reason) : job.code;
  if (!words || (job.state === "delivered" && job.code)) return job.corrected ? t("job.corrected") : null;
  return job.reason ? said(words) : code(words);
}

/** The list, and what is being looked for in it. */
export class Jobs {
  constructor(places, may) {
    this.places = places;
    this.may = may;
    this.filter = "all";
    this.target = "";
    this.account = "";
    this.items = [];
    this.cursor = null;
    this.pages = 1;
    this.busy = false;
    this.note = "";
    this.asked = 0;
    this.seen = "";
    this.loaded = false;
    this.closed = false;
  }

  /** Show nothing from now on, whatever is still being read: who looked is signed out. */
  close() {
    this.closed = true;
  }

  /** What is being looked for, as the gateway takes it. */
  get wish() {
    return { state: FILTERS[this.filter].join(","), target: this.target, account: this.account };
  }

  /** Look for something else. */
  async look(change) {
    Object.assign(this, { filter: "all", target: "", account: "" }, change);
    this.pages = 1;
    await this.load();
  }

  /** Look again when the numbers of DOCUMENT say that something happened, every few seconds at most. */
  async keepUp(document) {
    const happened = JSON.stringify([document.backlog.queued, Object.values(document.accounts).map((one) => [one.ended, one.in_flight, one.sent, one.holds])]);
    const due = Date.now() - this.asked > 3_000;
    if (this.busy || !due || window.document.hidden || this.pages > 1 || happened === this.seen) return;
    this.seen = happened;
    await this.load();
  }

  /** Read the first page. */
  async load() {
    this.asked = Date.now();
    await this.read(async () => {
      const page = await ask(`/v1/jobs${query({ ...this.wish, limit: PAGE })}`);
      this.items = page.items;
      this.cursor = page.next_cursor;
      this.pages = 1;
      this.note = "";
      this.loaded = true;
    });
  }

  /** Read one more page. */
  async more() {
    await this.read(async () => {
      const page = await ask(`/v1/jobs${query({ ...this.wish, limit: PAGE, cursor: this.cursor })}`);
      this.items.push(...page.items);
      this.cursor = page.next_cursor;
      this.pages += 1;
    });
  }

  async read(work) {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    this.busy = true;
    try {
      await work();
    } catch (error) {
      this.note = error instanceof Refused ? error.message : t("jobs.failed");
      this.seen = "";
    }
    if (turn === this.turn) this.busy = false;
    this.render();
  }

  /** Find one job by what was typed: a target, an id, or the idempotency key of an account. Returns its id, or null. */
  async find(typed, accounts) {
    const words = typed.trim();
    if (!words) {
      await this.look({});
      return null;
    }
    if (/^(group|private):\d{1,20}$/.test(words)) {
      await this.look({ target: words });
      return null;
    }
    const names = [...(/^[a-z0-9_-]+\.[\w-]{16,}$/.test(words) ? [words] : []), ...accounts.map((account) => [`key:${words}`, account])];
    for (const name of names) {
      const [job, account] = Array.isArray(name) ? name : [name, ""];
      try {
        const receipt = await ask(`${path("v1", "jobs", job)}${query({ account })}`);
        this.note = "";
        this.render();
        return receipt.id;
      } catch (error) {
        if (!(error instanceof Refused) || error.status === 503) {
          this.note = error instanceof Refused ? error.message : t("jobs.failed");
          this.render();
          return null;
        }
      }
    }
    this.note = t("jobs.not_found", { what: words.slice(0, 80) });
    this.render();
    return null;
  }

  render() {
    if (this.closed) return undefined;
    const { filters, note, list } = this.places;
    show(
      filters,
      h(
        "div.choices",
        { "data-key": "states", role: "group", "aria-label": t("jobs.filter") },
        Object.keys(FILTERS).map((name) => h("button", { type: "button", "data-key": name, "data-act": "filter", "data-filter": name, "aria-pressed": String(name === this.filter) }, t(`filter.${name}`))),
      ),
      this.target || this.account
        ? h("button.chosen", { type: "button", "data-key": "chosen", "data-act": "filter", "data-filter": this.filter, "aria-label": t("jobs.forget") }, said([this.target, this.account].filter(Boolean).join(" · ")), h("span", { "aria-hidden": "true" }, " ×"))
        : null,
      this.filter === "letters" && this.may("admin") && this.items.length
        ? h("button", { type: "button", "data-key": "replay", "data-act": "replay-many" }, t("do.replay_many"))
        : null,
    );
    show(note, said(this.note));
    if (!this.items.length) return show(list, h("p.nothing", {}, this.loaded ? t("jobs.none") : this.note ? "" : t("jobs.loading")));
    show(
      list,
      h(
        "table.job-list",
        {},
        h("thead", {}, h("tr", {}, ["job.id", "job.state", "job.target", "job.created", "job.why"].map((name) => h("th", { scope: "col" }, t(name))), this.may("admin") ? h("th", { scope: "col" }, h("span.unseen-title", {}, t("do.act"))) : null)),
        h("tbody", {}, this.items.map((job) => this.row(job))),
      ),
      this.cursor ? h("button.more", { type: "button", "data-key": "more", "data-act": "more", disabled: this.busy }, t("jobs.more")) : null,
      this.pages > 1 ? h("button.more", { type: "button", "data-key": "again", "data-act": "reload" }, t("jobs.again")) : null,
    );
    return undefined;
  }

  row(job) {
    const [account, token] = [job.id.slice(0, job.id.indexOf(".")), job.id.slice(job.id.indexOf(".") + 1)];
    return h(
      "tr",
      { "data-key": job.id, "data-job": job.id },
      h("td.id", {}, h("a", { href: `#job/${job.id}` }, job.key ? code(job.key) : code(`${token.slice(0, 10)}…`)), h("span.quiet.of", {}, said(account))),
      h("td.state", {}, statePill(job.state), job.parts.total > 1 ? h("span.quiet", {}, ` ${count(job.parts.delivered)}/${count(job.parts.total)}`) : null),
      h("td.target", {}, said(job.target)),
      h("td.when", { title: clock(job.created_at, { millis: true }) }, clock(job.created_at), h("span.quiet", {}, ` ${ago(job.created_at)}`)),
      h("td.why", {}, because(job), job.eta && !FINAL.has(job.state) ? h("span.quiet", {}, ` ${until(job.eta)}`) : null, job.replay_of ? h("span.quiet", {}, ` ${t("job.is_replay")}`) : null),
      this.may("admin")
        ? h("td.act", {}, LETTERS.includes(job.state) ? h("button", { type: "button", "data-act": "replay", "data-job": job.id, "data-state": job.state }, t("do.replay")) : null)
        : null,
    );
  }
}
