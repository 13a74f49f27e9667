// Making and updating elements. Text goes in as text only: nothing here, or anywhere, reads a string as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `spec` is a tag and its classes, with dots between, attributes that are null or false are left out, children are nodes or our words. */
export function h(spec, attributes = {}, ...children) {
  const [tag, ...classes] = spec.split(".");
  return filled(document.createElement(tag || "div"), classes, attributes, children);
}

/** The same in SVG. */
export function svg(spec, attributes = {}, ...children) {
  const [tag, ...classes] = spec.split(".");
  return filled(document.createElementNS(SVG, tag), classes, attributes, children);
}

function filled(element, classes, attributes, children) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

// What has no shape of its own, or changes the direction of its neighbours. An emoji may be joined by U+200D.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0\u2800\u034f\u180b-\u180f]/u;
const JOINED = /\p{Extended_Pictographic}[\ufe0f\u{1f3fb}-\u{1f3ff}]?\u200d(?=\p{Extended_Pictographic})/uy;

/** Somebody else's words: kept apart from their surroundings, and what cannot be seen is shown by its number. */
export function said(text, { lines = false } = {}) {
  const words = String(text);
  const parts = [];
  let plain = "";
  for (let at = 0; at < words.length; ) {
    JOINED.lastIndex = at;
    const joined = JOINED.exec(words);
    const one = joined ? joined[0] : String.fromCodePoint(words.codePointAt(at));
    at += one.length;
    if (!joined && UNSEEN.test(one) && !(lines && (one === "\n" || one === "\t"))) {
      if (plain) parts.push(plain);
      plain = "";
      parts.push(h("span.codepoint", {}, `U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`));
    } else plain += one;
  }
  if (plain) parts.push(plain);
  return h("bdi", {}, parts);
}

/** Somebody else's words in letters of one width: ids, keys, codes. */
export function code(text, attributes = {}) {
  return h("code", attributes, said(text));
}

/** Let PARENT have these children, changing as little as possible, so that focus, selection and scrolling stay. */
export function show(parent, ...children) {
  const fresh = nodes(children).map((child) => (child instanceof Node ? child : document.createTextNode(child)));
  patch(parent, fresh);
}

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null);
const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.namespaceURI === b.namespaceURI;

function patch(parent, fresh) {
  const known = new Map();
  for (const child of parent.childNodes) if (keyOf(child) !== null) known.set(keyOf(child), child);
  let at = parent.firstChild;
  for (const node of fresh) {
    const key = keyOf(node);
    const match = key !== null ? known.get(key) : at && keyOf(at) === null ? at : null;
    if (match && alike(match, node)) {
      if (match === at) at = at.nextSibling;
      else parent.insertBefore(match, at);
      update(match, node);
    } else parent.insertBefore(node, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function update(old, node) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== node.data) old.data = node.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!node.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of node.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  patch(old, [...node.childNodes]);
}
