// The page: who looks, what is shown to them, and what their clicks do.

import { ask, Refused, whenSignedOut } from "./api.js";
import { accounts } from "./accounts.js";
import { Asks } from "./asks.js";
import { h, said, show } from "./dom.js";
import { Sheet } from "./job.js";
import { Jobs } from "./jobs.js";
import { watch } from "./live.js";
import { machine } from "./machine.js";
import { cut, flow, headline, pulse, state } from "./overview.js";
import { waiting } from "./waiting.js";
import { learn, setClock, t } from "./words.js";

/** What tells of the gateway, or of jobs: who signs out leaves nothing of it to who comes next. */
const TOLD = ["cut", "state", "flow", "accounts", "waiting", "machine", "filters", "jobs-note", "jobs", "job-in", "ask-in", "toast"];

const place = (id) => document.getElementById(id);
/** What is known right now: `kept` is when the numbers are from, if Redis is away and they are not from now. */
const seen = { document: null, flow: null, cutSince: null, kept: null, may: (scope) => may(scope) };
let who = null;
let live = null;
let jobs = null;
let sheet = null;
let asks = null;

const may = (scope) => who?.scopes.includes(scope) ?? false;

function render() {
  pulse(place("pulse"), seen);
  cut(place("cut"), seen);
  if (!seen.document) return;
  state(place("state"), seen);
  flow(place("flow"), seen);
  accounts(place("accounts"), seen);
  waiting(place("waiting"), seen);
  machine(place("machine"), seen);
  document.body.dataset.accounts = Object.keys(seen.document.accounts).length;
  document.title = `${headline(seen.document)} · NapCat gateway`;
}

/** Take a look; what Redis cannot say right now stays as it was. */
function take(told) {
  setClock(told.at);
  const before = seen.document;
  if (told.status === "down" && !Object.keys(told.accounts).length && before && Object.keys(before.accounts).length) {
    seen.kept ??= before.at;
    seen.document = { ...told, accounts: before.accounts, sources: before.sources, backlog: before.backlog };
  } else {
    seen.kept = null;
    seen.document = told;
  }
  render();
  jobs.keepUp(told);
  sheet.keepUp();
}

function showWho() {
  show(
    place("who"),
    who && !who.open ? [h("span.quiet", {}, said(who.name)), may("admin") ? null : h("span.pill.quiet", {}, t("who.reads")), h("button", { type: "button", "data-act": "sign-out" }, t("do.sign_out"))] : null,
  );
  for (const button of document.querySelectorAll("[data-needs]")) button.hidden = !may(button.dataset.needs);
}

function signedOut() {
  live?.close();
  live = null;
  who = null;
  Object.assign(seen, { document: null, flow: null, cutSince: null, kept: null });
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  jobs?.close();
  sheet.id = null;
  for (const id of TOLD) show(place(id));
  place("board").hidden = true;
  place("sign-in").hidden = false;
  document.title = "NapCat gateway";
  showWho();
  show(place("pulse"));
  place("key").focus();
}

function signedIn(told) {
  who = told;
  place("sign-in").hidden = true;
  place("board").hidden = false;
  showWho();
  jobs = new Jobs({ filters: place("filters"), note: place("jobs-note"), list: place("jobs") }, may);
  jobs.load();
  live?.close();
  live = watch({
    status: take,
    flow(told) {
      seen.flow = told;
    },
    cut(last) {
      seen.cutSince = last;
      render();
    },
    back() {
      seen.cutSince = null;
      render();
    },
    refused: begin,
  });
  render();
  follow();
}

/** Find out who we are; where nobody answers, the stream goes on trying. */
async function begin() {
  try {
    const told = await ask("/session", { quiet: true });
    if (!who) signedIn(told);
  } catch (error) {
    if (error instanceof Refused && (error.status === 401 || error.status === 403)) signedOut();
    else if (!who) setTimeout(begin, 2_000);
  }
}

async function signIn(event) {
  event.preventDefault();
  const field = place("key");
  show(place("sign-in-error"));
  try {
    const told = await ask("/session", { method: "POST", body: { key: field.value.trim() }, quiet: true });
    field.value = "";
    signedIn(told);
    place("main").focus();
  } catch (error) {
    const words = error instanceof Refused && error.status !== 401 ? error.message : t(error instanceof Refused ? "signin.wrong" : "ask.failed");
    show(place("sign-in-error"), said(words));
    field.select();
  }
}

/** Open what the address names. */
function follow() {
  const id = /^#job\/(.+)$/.exec(location.hash)?.[1];
  if (id && who) sheet.open(id);
}

let fading = 0;
function toast(words) {
  show(place("toast"), said(words));
  clearTimeout(fading);
  fading = setTimeout(() => show(place("toast")), 6_000);
  jobs.asked = 0;
  jobs.load();
  if (sheet.id) sheet.load();
}

const DO = {
  park: (button) => asks.begin(button),
  release: (button) => asks.begin(button),
  pause: (button) => asks.begin(button),
  resume: (button) => asks.begin(button),
  replay: (button) => asks.begin(button),
  "replay-many": (button) => asks.beginMany(button, jobs.wish),
  "close-ask": () => place("ask").close(),
  "close-sheet": () => place("job").close(),
  filter: (button) => jobs.look({ filter: button.dataset.filter, ...(button.matches(".chosen") ? {} : { target: jobs.target, account: jobs.account }) }),
  more: () => jobs.more(),
  reload: () => jobs.load(),
  "jobs-of": async (button) => {
    await jobs.look({ target: button.dataset.target, account: button.dataset.account });
    place("jobs-section").scrollIntoView();
  },
  "sign-out": async () => {
    try {
      await ask("/session", { method: "DELETE" });
    } catch (error) {
      toast(error instanceof Refused ? error.message : t("ask.failed")); // the cookie is still there: do not look as if it were not
      return;
    }
    signedOut();
  },
};

async function start() {
  await learn();
  place("search-for").placeholder = t("jobs.hint");
  sheet = new Sheet(place("job"), place("job-in"), may);
  asks = new Asks(place("ask"), place("ask-in"), toast);
  whenSignedOut(signedOut);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (button && !button.disabled) DO[button.dataset.act]?.(button);
  });
  place("sign-in").addEventListener("submit", signIn);
  place("search").addEventListener("submit", async (event) => {
    event.preventDefault();
    const found = await jobs.find(place("search-for").value, Object.keys(seen.document?.accounts ?? {}));
    if (found) location.hash = `#job/${found}`;
  });
  addEventListener("hashchange", follow);
  setInterval(() => seen.cutSince !== null && render(), 1_000);
  await begin();
}

start();
