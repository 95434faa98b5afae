// The console: log in, connect, call commands, see answers and pushes, and keep a store.

import { element } from "/client/dom.js";
import { Calls } from "/docs/console/calls.js";
import { Connection } from "/docs/console/connection.js";
import { Log } from "/docs/console/log.js";
import { StoreView } from "/docs/console/store_view.js";

let opened = null;

/** Opens the console; with the name of a command, ready to call it. */
export async function showConsole(name) {
  opened ??= build();
  const { panel, calls } = await opened;
  keepReading(name, () => {
    panel.hidden = false;
    document.documentElement.classList.add("with-console");
  });
  if (name) calls.choose(name);
  panel.querySelector(name ? "[data-first]" : "h2").focus();
}

/** Changes the width of the text; the entry that is read, or that of this name, stays where it is. */
function keepReading(name, change) {
  const bar = document.querySelector(".bar").getBoundingClientRect().bottom;
  const parts = name ? [document.getElementById(name)] : [...document.querySelectorAll("main section, .entry, .model")];
  const read = parts.findLast((part) => part.getBoundingClientRect().top <= bar + 40) ?? parts[0];
  const before = name ? Math.max(bar, read.getBoundingClientRect().top) : read.getBoundingClientRect().top;
  change();
  scrollBy({ top: read.getBoundingClientRect().top - before, behavior: "instant" });
}

async function build() {
  const api = await (await fetch("/docs/console.json")).json();
  const status = element("p", { className: "unseen", role: "status" });
  const log = new Log((text) => { status.textContent = text; });
  const connection = new Connection(api, log);
  const calls = new Calls(api, connection, log);
  const store = new StoreView(api, connection, log);

  const title = element("h2", { tabIndex: -1 }, "Console");
  const close = element("button", { type: "button", className: "quiet" }, "Close");
  const panel = element("aside", { id: "console", hidden: true });
  panel.setAttribute("aria-label", "Console");
  panel.append(
    element("header", {}, title, connection.state, close),
    status,
    connection.view,
    ...tabs([["Call", element("div", {}, calls.view, log.view)], ["Store", store.view]]),
  );
  const hide = () => {
    keepReading(null, () => {
      panel.hidden = true;
      document.documentElement.classList.remove("with-console");
    });
    document.getElementById("open-console").focus();
  };
  close.addEventListener("click", hide);
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  document.body.append(panel);
  return { panel, calls };
}

/** A row of tabs with their panels, by the pattern of the ARIA practices: arrow keys go from tab to tab. */
function tabs(parts) {
  const list = element("div", { className: "views", role: "tablist" });
  list.setAttribute("aria-label", "Views");
  const pairs = parts.map(([name, view], index) => {
    const tab = element("button", { type: "button", id: `view-${index}`, role: "tab" }, name);
    const panel = element("div", { role: "tabpanel", tabIndex: -1, id: `view-${index}-panel` }, view);
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => select(index));
    return { tab, panel };
  });
  const select = (chosen) => pairs.forEach(({ tab, panel }, index) => {
    tab.setAttribute("aria-selected", String(index === chosen));
    tab.tabIndex = index === chosen ? 0 : -1;
    panel.hidden = index !== chosen;
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const next = (pairs.findIndex(({ tab }) => tab === event.target) + step + pairs.length) % pairs.length;
    select(next);
    pairs[next].tab.focus();
  });
  list.append(...pairs.map(({ tab }) => tab));
  select(0);
  return [list, ...pairs.map(({ panel }) => panel)];
}
