// What a job says, segment by segment, to be read and not to be followed: nothing in it is a link, or is loaded.

import { code, h, said } from "./dom.js";
import { bytes, count, t } from "./words.js";

const MEDIA = new Set(["image", "record", "video", "file"]);
const INLINE = new Set(["text", "at", "face", "mface", "reply", "dice", "rps"]);

function source(data, cut) {
  const where = data.file ?? data.url ?? data.path ?? "";
  if (cut?.file !== undefined) return h("span.quiet", {}, t("segment.inline", { size: bytes(cut.file) }));
  return code(where);
}

function fields(data, cut) {
  return h("dl.lines", {}, Object.entries(data).map(([name, value]) => h("div.line", {}, h("dt", {}, said(name)), h("dd", {}, said(typeof value === "string" ? value : JSON.stringify(value), { lines: true }), cut?.[name] ? h("span.quiet", {}, ` (${count(cut[name])})`) : null))));
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function node({ data }) {
  const inner = Array.isArray(data.content) ? data.content : null;
  return h(
    "div.node",
    {},
    h("p.quiet", {}, said(data.nickname ?? data.name ?? data.user_id ?? data.uin ?? data.id ?? "")),
    inner ? segments(inner) : data.content ? h("p.text", {}, said(data.content, { lines: true })) : fields(data),
  );
}

function segment(one) {
  const { type, data, cut } = one;
  const name = h("span.kind", {}, said(type));
  if (type === "text") return h("span.text", {}, said(data.text, { lines: true }));
  if (type === "at") return h("span.chip", {}, "@", data.qq === "all" ? t("segment.all") : said(data.qq));
  if (type === "reply") return h("span.chip", {}, t("segment.reply"), " ", said(data.id ?? data.seq));
  if (type === "face") return h("span.chip", {}, t("segment.face"), " ", said(data.id));
  if (type === "mface") return h("span.chip", {}, t("segment.mface"), " ", said(data.summary ?? data.emoji_id));
  if (type === "dice" || type === "rps") return h("span.chip", {}, said(type));
  if (MEDIA.has(type)) return h("div.media", {}, name, " ", data.name ? [said(data.name), " "] : null, source(data, cut));
  if (type === "markdown") return h("div.media", {}, name, h("pre", {}, said(data.content, { lines: true })));
  if (type === "json") return h("details.media", {}, h("summary", {}, name), h("pre", {}, said(pretty(data.data), { lines: true })));
  if (type === "node") return node(one);
  return h("div.media", {}, name, fields(data, cut));
}

// Words and what stands among them flow as one paragraph; everything else is a block of its own.
function segments(all) {
  const blocks = [];
  let line = null;
  for (const one of all) {
    if (INLINE.has(one.type)) {
      if (!line) blocks.push((line = h("p.flowing")));
      line.append(segment(one));
    } else {
      line = null;
      blocks.push(segment(one));
    }
  }
  return blocks;
}

/** What a job says; "gone" when nobody knows any more, null while it is not known yet. */
export function message(told) {
  if (told === null) return h("p.quiet", {}, t("jobs.loading"));
  if (told === "gone") return h("p.quiet.gone", {}, t("job.gone"));
  return h(
    "div.message",
    {},
    told.parts.map((part, index) =>
      h(
        "section.part",
        { "data-key": String(index) },
        told.parts.length > 1 ? h("p.quiet.part-name", {}, t("attempt.part", { n: index + 1 }), part.delivered ? ` · ${t("job.delivered")}` : "") : null,
        part.card ? fields(part.card) : null,
        segments(part.segments),
      ),
    ),
  );
}
