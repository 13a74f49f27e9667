// Asking before something is done: park, release, pause, resume, and sending again.

import { ask, path, query, Refused } from "./api.js";
import { code, h, said, show } from "./dom.js";
import { LETTERS, statePill } from "./jobs.js";
import { count, t } from "./words.js";

const LENGTHS = ["", "15m", "1h", "8h", "1d"];

/** The dialog in which everything is confirmed. */
export class Asks {
  constructor(dialog, form, tell) {
    this.dialog = dialog;
    this.form = form;
    this.tell = tell;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.confirmed();
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
    dialog.addEventListener("close", () => this.back?.isConnected && this.back.focus());
    form.addEventListener("change", (event) => {
      if (event.target.name === "state") this.count();
    });
  }

  /** Ask for what BUTTON stands for. */
  begin(button) {
    this.back = button;
    const { act, target, account, job, state } = button.dataset;
    this.act = act;
    this.subject = { target, account, job, state };
    this.error = "";
    this.shown = undefined;
    this.draw(this.inside());
  }

  /** Ask whether to send again all that WISH means: what that is is counted first. */
  async beginMany(button, wish) {
    this.back = button;
    this.act = "replay-many";
    this.subject = { target: wish.target, account: wish.account };
    this.states = new Set(LETTERS.filter((state) => state !== "unconfirmed")); // which may arrive twice
    this.error = "";
    this.found = null;
    this.draw(this.inside());
    await this.count();
  }

  inside() {
    const { target, account, job, state } = this.subject;
    const holds = this.act === "park" || this.act === "pause";
    const what = this.act === "pause" || this.act === "resume" ? account : target;
    return [
      h("h2", { id: "ask-title" }, t(`ask.${this.act}`)),
      what ? h("p.subject", {}, said(what), this.act === "park" && account ? h("span.quiet", {}, " · ", said(account)) : null) : null,
      job ? h("p.subject", {}, code(job)) : null,
      h("p.quiet", {}, t(`ask.${this.act}.means`)),
      state === "unconfirmed" ? h("p.held", { "data-key": "twice" }, t("ask.unconfirmed")) : null,
      this.act === "park" && !target ? h("label", { "data-key": "target" }, t("ask.target"), h("input", { name: "target", required: true, pattern: "(group|private):[1-9][0-9]{0,19}", placeholder: "group:123456", autocomplete: "off", title: "group:123456" })) : null,
      holds ? h("label", { "data-key": "reason" }, t("ask.reason"), h("input", { name: "reason", maxlength: "200", autocomplete: "off" })) : null,
      holds ? h("label", { "data-key": "for" }, t("ask.for"), h("select", { name: "for" }, LENGTHS.map((length) => h("option", { value: length }, t(`ask.for.${length || "open"}`))))) : null,
      this.act === "replay-many" ? this.many() : null,
      h("p.error", { role: "alert", "data-key": "error" }, said(this.error)),
      h(
        "p.acts",
        { "data-key": "acts" },
        h("button", { type: "button", "data-act": "close-ask" }, t("do.cancel")),
        h("button.main", { type: "submit", disabled: this.act === "replay-many" && !this.found?.count }, this.act === "replay-many" ? t("do.replay_n", { n: this.found ? count(this.found.count) : "…" }) : t(`do.${this.act}`)),
      ),
    ];
  }

  many() {
    return h(
      "fieldset",
      { "data-key": "many" },
      h("legend", {}, t("ask.states")),
      LETTERS.map((state) => h("label.check", { "data-key": state }, h("input", { type: "checkbox", name: "state", value: state, checked: this.states.has(state) }), statePill(state), state === "unconfirmed" ? h("span.quiet", {}, ` ${t("ask.twice")}`) : null)),
      h("p", { role: "status" }, this.found === null ? t("ask.counting") : t("ask.found", { n: count(this.found.count) })),
      this.found?.sample.length ? h("ul.sample", {}, this.found.sample.map((one) => h("li", { "data-key": one.id }, statePill(one.state), " ", said(one.target), " ", h("span.quiet", {}, one.key ? code(one.key) : code(one.id.slice(0, 16)), one.code ? [" ", code(one.code)] : null)))) : null,
    );
  }

  draw(inside) {
    show(this.form, inside);
    if (!this.dialog.open) {
      this.form.reset();
      this.dialog.showModal();
      this.form.querySelector("input, select, button.main")?.focus();
    }
  }

  async count() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    if (this.form.elements.state) this.states = new Set([...this.form.elements.state].filter((one) => one.checked).map((one) => one.value));
    this.found = null;
    this.error = "";
    this.draw(this.inside());
    try {
      const found = this.states.size ? await ask("/v1/jobs/replay", { method: "POST", body: this.wish({ dry_run: true }) }) : { count: 0, sample: [] };
      if (turn === this.turn) this.found = found;
    } catch (error) {
      this.error = this.wordsOf(error);
    }
    if (turn === this.turn && this.dialog.open) this.draw(this.inside());
  }

  wish(more) {
    const { target, account } = this.subject;
    return { state: [...this.states], ...(target ? { target } : {}), ...(account ? { account } : {}), ...more };
  }

  wordsOf(error) {
    return error instanceof Refused ? [error.message, ...error.errors.map((one) => one.msg)].join("; ") : t("ask.failed");
  }

  async confirmed() {
    const button = this.form.querySelector("button.main");
    if (button.disabled) return;
    button.disabled = true;
    try {
      const told = await this.work();
      this.dialog.close();
      this.tell(told);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) return; // signed out: the page asks for the key
      this.error = this.wordsOf(error);
      this.draw(this.inside());
      this.form.querySelector("button.main").disabled = false;
    }
  }

  async work() {
    const { account, job } = this.subject;
    const given = (name) => this.form.elements[name]?.value.trim() ?? "";
    const body = {};
    if (given("reason")) body.reason = given("reason");
    if (given("for")) body.for = given("for");
    const target = this.subject.target || given("target");
    const [kind, number] = target.split(":");
    switch (this.act) {
      case "park":
        await ask(`${path("v1", "targets", kind, number, "park")}${query({ account })}`, { method: "POST", body });
        return t("done.park", { what: target });
      case "release":
        await ask(`${path("v1", "targets", kind, number, "release")}${query({ account })}`, { method: "POST" });
        return t("done.release", { what: target });
      case "pause":
        await ask(path("v1", "accounts", account, "pause"), { method: "POST", body });
        return t("done.pause", { what: account });
      case "resume":
        await ask(path("v1", "accounts", account, "resume"), { method: "POST" });
        return t("done.resume", { what: account });
      case "replay":
        return t((await ask(path("v1", "jobs", job, "replay"), { method: "POST" })).duplicate ? "done.replayed_before" : "done.replay");
      default: {
        const told = await ask("/v1/jobs/replay", { method: "POST", body: this.wish({}) });
        const sent = told.items.filter((one) => one.id).length;
        return t(told.more ? "done.replay_more" : "done.replay_many", { n: count(sent) });
      }
    }
  }
}
