// The part of Socket.IO (protocol 5 over Engine.IO 4) that this page needs, on a plain WebSocket.
// Other clients should use the official library.

const RETRY_MS = [500, 1000, 2000, 5000];

/** A connection to the server that reconnects by itself. Calls `onPush(namespace, name, data)` for every push. */
export class RookerySocket {
  #namespaces; #token; #onPush; #onState;
  #socket = null; #pending = new Map(); #connected = new Set(); #nextId = 0; #losses = 0; #closed = false; #timer = 0;

  /** `token()` returns the access token for each connect; calls `onState(name)` with "open", "lost", "refused". */
  constructor(namespaces, token, onPush, onState) {
    this.#namespaces = namespaces;
    this.#token = token;
    this.#onPush = onPush;
    this.#onState = onState;
    this.#open();
  }

  /** Calls a command; resolves with its data or rejects with its error `{code, message}`. */
  call(namespace, name, payload = {}) {
    return new Promise((resolve, reject) => {
      if (!this.#connected.has(namespace)) return reject({ code: "offline", message: "Not connected. Trying again…" });
      const id = this.#nextId++;
      this.#pending.set(id, { resolve, reject });
      this.#socket.send(`42${namespace},${id}${JSON.stringify([name, payload])}`);
    });
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.close();
  }

  #open() {
    const address = new URL("/socket.io/?EIO=4&transport=websocket", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    this.#socket = new WebSocket(address);
    this.#socket.onmessage = (message) => this.#receive(message.data);
    this.#socket.onclose = () => this.#onClose();
  }

  #onClose() {
    this.#connected.clear();
    for (const { reject } of this.#pending.values()) reject({ code: "offline", message: "The connection was lost." });
    this.#pending.clear();
    if (this.#closed) return;
    this.#onState("lost");
    const pause = RETRY_MS[Math.min(this.#losses++, RETRY_MS.length - 1)];
    this.#timer = setTimeout(() => this.#open(), pause * (0.5 + Math.random()));
  }

  #receive(text) {
    if (text[0] === "0") {
      for (const namespace of this.#namespaces) {
        this.#socket.send(`40${namespace},${JSON.stringify({ token: this.#token() })}`);
      }
    } else if (text[0] === "2") {
      this.#socket.send("3");
    } else if (text[0] === "4") {
      this.#packet(text[1], text.slice(2));
    }
  }

  #packet(kind, rest) {
    const comma = rest.indexOf(",");
    const [, namespace, id, body] = /^(\/[^,]*),(\d*)(.*)$/s.exec(comma < 0 ? `${rest},` : rest);
    const data = body ? JSON.parse(body) : undefined;
    if (kind === "0") {
      this.#connected.add(namespace);
      if (this.#connected.size === this.#namespaces.length) {
        this.#losses = 0;
        this.#onState("open");
      }
    } else if (kind === "2") {
      this.#onPush(namespace, data[0], data[1]);
    } else if (kind === "3") {
      const pending = this.#pending.get(Number(id));
      this.#pending.delete(Number(id));
      if (data[0].ok) pending.resolve(data[0].data);
      else pending.reject(data[0].error);
    } else if (kind === "4" && !this.#closed) {
      this.#closed = true;
      this.#socket.close();
      this.#onState("refused");
    }
  }
}
