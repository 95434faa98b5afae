// A store as docs/catching-up.md describes it: items of each Collection by their ids, kept up to date by pulls and pushes.

const ID_OF = {
  me: ({ user }) => user.id,
  relations: ({ user_id }) => user_id,
  messages: ({ conversation_id, seq }) => `${conversation_id}:${seq}`,
};

export class Store {
  #ask; #cursor = null;
  items = new Map();

  /** `ask(namespace, name, payload)` resolves with the data of an answer. */
  constructor(ask, names) {
    this.#ask = ask;
    for (const name of names) this.items.set(name, new Map());
  }

  /** Pulls until there is no more; resolves with how many items came and went. */
  async pull() {
    let changed = 0;
    let more = true;
    while (more) {
      const answer = await this.#ask("/users", "sync:pull", this.#cursor === null ? {} : { cursor: this.#cursor });
      for (const [name, changes] of Object.entries(answer.changes)) changed += await this.#take(name, changes);
      this.#cursor = answer.cursor;
      more = answer.more;
    }
    return changed;
  }

  async #take(name, changes) {
    if (changes.reset) {
      const fresh = await this.#ask("/users", "sync:pull", { collections: [name] });
      this.items.get(name).clear();
      this.apply(name, fresh.changes[name]?.upserts ?? [], []);
    }
    for (const part of changes.reset_ids ?? []) {
      const page = await this.#ask("/chat", "message:list", { conversation_id: part, limit: 50 });
      const gone = [...this.items.get(name).keys()].filter((id) => id.startsWith(`${part}:`));
      this.apply(name, page.items, gone);
    }
    this.apply(name, changes.upserts, changes.removed);
    return changes.upserts.length + changes.removed.length;
  }

  apply(name, upserts, removed) {
    const held = this.items.get(name);
    for (const id of removed) held.delete(id);
    for (const item of upserts) {
      const id = (ID_OF[name] ?? (({ id }) => id))(item);
      const old = held.get(id);
      if (old && newer(old, item)) continue;
      held.set(id, { ...old, ...item });
    }
  }

  /** Takes what a push says; true when it is about a Collection. */
  push(name, data) {
    const feed = this.items.get("feed");
    switch (name) {
      case "feed:new": this.apply("feed", [data.post], []); return true;
      case "post:updated": if (feed.has(data.post.id)) this.apply("feed", [data.post], []); return true;
      case "post:deleted": this.apply("feed", [], [data.post_id]); return true;
      case "feed:removed": this.apply("feed", [], data.post_ids); return true;
      case "message:created": this.apply("messages", [data.message], []); return true;
      case "conversation:updated": this.apply("conversations", [data.conversation], []); return true;
      case "collection:changed": this.apply(data.name, data.upserts, data.removed); return true;
      default: return false;
    }
  }
}

/** Whether the first of two copies is the newer one. */
function newer(one, other) {
  const number = ({ version, rev, user }) => version ?? rev ?? user?.version ?? 0;
  return number(one) > number(other);
}
