/** The newest id of each kind in what was answered and pushed, so that the next call has one to begin with. */
export class SeenIds {
  #ids = new Map();

  get(name) {
    if (name.endsWith("_ids")) return this.#ids.has(name.slice(0, -1)) ? [this.#ids.get(name.slice(0, -1))] : undefined;
    return this.#ids.get(name);
  }

  /** `name` is that of the command or push: `post:list` answers posts. */
  look(name, data, user) {
    const kind = name.startsWith("feed:") ? "post" : name.split(":")[0];
    this.#walk(data, kind, user?.id);
  }

  #walk(value, kind, ownId) {
    if (Array.isArray(value)) {
      for (const item of [...value].reverse()) {
        if (item?.id) this.#keep(`${kind}_id`, item.id, ownId);
        this.#walk(item, kind, ownId);
      }
    } else if (value && typeof value === "object") {
      for (const [key, part] of Object.entries(value)) {
        if (part?.id) this.#keep(`${{ author: "user", sender: "user" }[key] ?? key}_id`, part.id, ownId);
        if (key.endsWith("_id") && typeof part === "string") this.#keep(key, part, ownId);
        this.#walk(part, kind, ownId);
      }
    }
  }

  #keep(name, id, ownId) {
    if (id !== ownId) this.#ids.set(name, id);
  }
}
