import { element, show } from "/client/dom.js";

const $ = (id) => document.getElementById(id);

/** The user's conversations. Messages are stored by number, so that a repeat is harmless and a gap is noticed. */
export class Chat {
  #socket; #me; #fail;
  #conversations = new Map(); #messages = new Map(); #openId = null;

  constructor(socket, me, fail) {
    this.#socket = socket;
    this.#me = me;
    this.#fail = fail;
    $("writer").onsubmit = (event) => {
      event.preventDefault();
      this.#send($("writer-text").value).catch(fail);
    };
  }

  async load() {
    const { items } = await this.#socket.call("/chat", "conversation:list", {});
    this.#conversations = new Map(items.map((conversation) => [conversation.id, conversation]));
    this.#drawList();
    if (this.#openId) await this.#read(this.#openId);
  }

  async open(userId) {
    const { conversation } = await this.#socket.call("/chat", "conversation:open", { user_id: userId });
    this.#conversations.set(conversation.id, conversation);
    await this.#read(conversation.id);
  }

  async onPush(name, data) {
    if (name === "conversation:updated") {
      await this.load();
    } else if (name === "message:created") {
      const { conversation_id: id, seq } = data.message;
      if (id === this.#openId) {
        const known = this.#messages.size;
        this.#messages.set(seq, data.message);
        if (known && !this.#messages.has(seq - 1) && seq > 1) await this.#read(id);
        else await this.#seen(id, seq);
        this.#drawMessages();
      } else {
        await this.load();
      }
    }
  }

  async #read(id) {
    this.#openId = id;
    const { items } = await this.#socket.call("/chat", "message:list", { conversation_id: id, limit: 50 });
    this.#messages = new Map(items.map((message) => [message.seq, message]));
    await this.#seen(id, Math.max(0, ...this.#messages.keys()));
    this.#drawMessages();
    this.#drawList();
    show($("chat"), true);
    $("writer-text").focus();
  }

  async #seen(id, seq) {
    if (!seq) return;
    await this.#socket.call("/chat", "message:read", { conversation_id: id, seq });
    const conversation = this.#conversations.get(id);
    if (conversation?.viewer) conversation.viewer.unread_count = 0;
  }

  async #send(text) {
    const { message } = await this.#socket.call("/chat", "message:send", { conversation_id: this.#openId, text });
    $("writer").reset();
    this.#messages.set(message.seq, message);
    this.#drawMessages();
  }

  #drawMessages() {
    const ordered = [...this.#messages.values()].sort((one, other) => one.seq - other.seq);
    $("messages").replaceChildren(...ordered.map((message) =>
      element("li", { className: message.sender.id === this.#me.id ? "mine" : "" }, message.text)));
    $("messages").scrollTop = $("messages").scrollHeight;
    $("chat-title").textContent = this.#title(this.#conversations.get(this.#openId));
  }

  #drawList() {
    $("conversations").replaceChildren(...[...this.#conversations.values()].map((conversation) => {
      const button = element("button", {}, this.#title(conversation));
      const unread = conversation.viewer?.unread_count ?? 0;
      if (unread) button.append(element("span", { className: "unread" }, String(unread)));
      button.addEventListener("click", () => this.#read(conversation.id).catch(this.#fail));
      return element("li", {}, button);
    }));
  }

  #title(conversation) {
    const others = (conversation?.members ?? []).filter(({ user }) => user.id !== this.#me.id);
    return others.map(({ user }) => user.display_name || user.username).join(", ") || "Conversation";
  }
}
