// Small drawings: bars of the last hour, how full something is, and what something is made of.

import { h, svg } from "./dom.js";

/** The last minutes as bars, the newest on the right, all as high as MOST; WHAT says it to who cannot see it. */
export function sparkline(values, most, what, kind = "") {
  const width = 240;
  const height = 36;
  const step = width / values.length;
  const bars = values.map((value, index) => {
    if (!value) return "";
    const size = Math.max(1.5, (value / Math.max(most, 1)) * height);
    return `M${(index * step).toFixed(2)} ${height}v-${size.toFixed(2)}h${(step - 0.9).toFixed(2)}V${height}z`;
  });
  return svg(
    `svg.spark${kind ? `.${kind}` : ""}`,
    { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": what },
    svg("path.ground", { d: `M0 ${height - 0.5}H${width}` }),
    svg("path.bars", { d: bars.join("") }),
  );
}

/** How full something is, from 0 to 1. */
export function gauge(full, kind = "") {
  const width = Math.min(1, Math.max(0, full)) * 100;
  return svg(
    `svg.gauge${kind ? `.${kind}` : ""}`,
    { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect.ground", { width: 100, height: 4 }),
    svg("rect.full", { width: width.toFixed(2), height: 4 }),
  );
}

/** What a whole is made of: [class, number] in their order. */
export function shares(parts) {
  const whole = parts.reduce((sum, [, number]) => sum + number, 0);
  let at = 0;
  return svg(
    "svg.shares",
    { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect.ground", { width: 100, height: 6 }),
    whole
      ? parts.map(([kind, number]) => {
          const width = (number / whole) * 100;
          const part = svg(`rect.is-${kind}`, { x: at.toFixed(2), width: width.toFixed(2), height: 6 });
          at += width;
          return part;
        })
      : null,
  );
}

/** A short word about how something is; KIND is good, warn, bad or quiet. */
export function pill(kind, ...words) {
  return h(`span.pill.${kind}`, {}, words);
}
