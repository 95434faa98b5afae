import { element } from "/client/dom.js";
import { Store } from "/docs/console/store.js";

const ROWS = 50;
const COLUMNS = {
  me: { username: ({ user }) => user.username, version: ({ user }) => user.version, settings: ({ settings }) => JSON.stringify(settings) },
  relations: { following: ({ following }) => following, blocked: ({ blocked }) => blocked },
  feed: { author: ({ author }) => author.username, text: ({ text }) => text, version: ({ version }) => version },
  conversations: { members: ({ members }) => members.map(({ user }) => user.username).join(", "), last_seq: ({ last_seq }) => last_seq, rev: ({ rev }) => rev },
  messages: { sender: ({ sender }) => sender.username, text: ({ text }) => text, seq: ({ seq }) => seq },
};

/** The Collections as tables, which follow pulls and pushes. */
export class StoreView {
  #store = null; #connection; #names; #tables; #told; #log;

  constructor(api, connection, log) {
    this.#connection = connection;
    this.#names = api.collections;
    this.#log = log;
    this.#told = element("p", { className: "hint" }, "Pull once: then pushes keep the tables up to date.");
    this.#tables = element("div", {});
    const pull = element("button", { type: "button" }, "Pull");
    pull.addEventListener("click", () => this.#pull());
    const drop = element("button", { type: "button", className: "quiet" }, "Empty");
    drop.addEventListener("click", () => this.#drop());
    this.view = element("section", { className: "store" },
      element("div", { className: "row buttons" }, pull, drop), this.#told, this.#tables);
    this.view.setAttribute("aria-label", "Store");
    connection.listen({
      push: (namespace, name, data) => this.#onPush(name, data),
      opened: () => this.#store && this.#pull(),
      left: () => this.#drop(),
    });
  }

  async #pull() {
    const ask = async (namespace, name, payload) => {
      const answer = await this.#connection.ask(namespace, name, payload);
      if (!answer.ok) throw answer.error;
      return answer.data;
    };
    const started = performance.now();
    try {
      this.#store ??= new Store(ask, this.#names);
      const store = this.#store;
      await ask("/feed", "feed:subscribe", { limit: 1 }); // a connection hears of new posts from then on
      const changed = await store.pull();
      this.#told.textContent = `Pulled ${changed} changes in ${Math.round(performance.now() - started)} ms; pushes are applied as they come.`;
      this.#log.note(this.#told.textContent);
      this.#draw();
    } catch (error) {
      this.#told.textContent = error.message ?? String(error);
    }
  }

  #drop() {
    this.#store = null;
    this.#tables.replaceChildren();
    this.#told.textContent = "The store is empty.";
  }

  #onPush(name, data) {
    if (!this.#store) return;
    if (name === "resync") this.#pull();
    else if (this.#store.push(name, data)) this.#draw();
  }

  #draw() {
    const closed = new Set([...this.#tables.querySelectorAll("details:not([open])")].map(({ dataset }) => dataset.name));
    this.#tables.replaceChildren(...this.#names.map((name) => this.#table(name, !closed.has(name))));
  }

  #table(name, open) {
    const items = [...this.#store.items.get(name)].sort(([, one], [, other]) => newestFirst(one, other)).slice(0, ROWS);
    const columns = COLUMNS[name] ?? { item: (item) => JSON.stringify(item) };
    const head = element("tr", {}, ...["id", ...Object.keys(columns)].map((title) => element("th", { scope: "col" }, title)));
    const rows = items.map(([id, item]) => element("tr", {}, element("th", { scope: "row" }, element("code", {}, id)),
      ...Object.values(columns).map((of) => element("td", {}, String(of(item) ?? "").slice(0, 120)))));
    const view = element("details", { open }, element("summary", {}, element("code", {}, name), ` ${this.#store.items.get(name).size}`),
      element("div", { className: "scrolled", tabIndex: 0, role: "region" },
        element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))));
    view.dataset.name = name;
    view.querySelector(".scrolled").setAttribute("aria-label", `Collection ${name}`);
    return view;
  }
}

/** Ids rise with time; what has none stays in its order. */
function newestFirst(one, other) {
  return one.id && other.id ? Number(BigInt(other.id) - BigInt(one.id)) : 0;
}
