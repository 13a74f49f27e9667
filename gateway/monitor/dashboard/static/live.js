// The stream: what the gateway says once a second, and noticing when it no longer does.

const PATIENCE = 5_000; // ms without news after which we are cut off
const HOPELESS = 20_000; // after which the connection is given up and made anew
const PAUSES = [1_000, 2_000, 4_000, 8_000];

/**
 * Watch until `close()` of what is returned is called. `tell.status` and `tell.flow` get documents, `tell.cut` the time
 * of the last news when there are none any more, `tell.back` is called when there are again, `tell.refused` when the
 * gateway answers but does not let us watch: then somebody has to find out why.
 */
export function watch(tell) {
  let source = null;
  let last = Date.now();
  let cut = false;
  let failures = 0;
  let timer = 0;
  let closed = false;

  function news() {
    last = Date.now();
    failures = 0;
    if (cut) {
      cut = false;
      tell.back();
    }
  }

  function noNews() {
    if (!cut) {
      cut = true;
      tell.cut(last);
    }
  }

  function open() {
    clearTimeout(timer);
    source?.close();
    if (closed) return;
    source = new EventSource("/dashboard/stream");
    source.addEventListener("status", (event) => {
      news();
      tell.status(JSON.parse(event.data));
    });
    source.addEventListener("flow", (event) => {
      news();
      tell.flow(JSON.parse(event.data));
    });
    source.addEventListener("error", () => {
      noNews();
      if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself
      timer = setTimeout(open, PAUSES[Math.min(failures, PAUSES.length - 1)]);
      failures += 1;
      tell.refused();
    });
  }

  const pulse = setInterval(() => {
    const silence = Date.now() - last;
    if (silence > PATIENCE) noNews();
    if (silence > HOPELESS && silence % HOPELESS < 1_000) open();
  }, 1_000);
  open();
  return {
    close() {
      closed = true;
      clearInterval(pulse);
      clearTimeout(timer);
      source?.close();
    },
  };
}
