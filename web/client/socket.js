// The part of Socket.IO (protocol 5 over Engine.IO 4) that these pages need, without a library.
// Other clients should use the official one.

import { ACK, CODECS, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT } from "/client/packets.js";
import { TRANSPORTS } from "/client/transports.js";

const RETRY_MS = [500, 1000, 2000, 5000];

/** A connection to the server that reconnects by itself. */
export class RookerySocket {
  #options; #codec;
  #link = null; #pending = new Map(); #connected = new Set(); #nextId = 0; #losses = 0; #closed = false; #timer = 0;

  /**
   * `token()` returns the access token for each connect. `onPush(namespace, name, data)` is called for every push;
   * `onState(name, why)` with "open", "lost" or "refused"; `onFrame(direction, data)` for every packet of Engine.IO.
   */
  constructor({ namespaces, token, onPush, onState, onFrame = () => {}, transport = "websocket", codec = "json" }) {
    this.#options = { namespaces, token, onPush, onState, onFrame, open: TRANSPORTS[transport] };
    this.#codec = CODECS[codec];
    this.#open();
  }

  /** Calls a command; resolves with its data or rejects with its error `{code, message}`. */
  async call(namespace, name, payload = {}) {
    const answer = await this.ask(namespace, name, payload);
    if (answer.ok) return answer.data;
    throw answer.error;
  }

  /** Calls a command; resolves with its answer, `ok` or not. */
  ask(namespace, name, payload = {}) {
    return new Promise((resolve, reject) => {
      if (!this.#connected.has(namespace)) return reject({ code: "offline", message: "Not connected. Trying again…" });
      const id = this.#nextId++;
      this.#pending.set(id, { resolve, reject });
      this.#send({ kind: EVENT, namespace, id, data: [name, payload] });
    });
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#link.close();
  }

  #open() {
    const { namespaces, token, onFrame, open } = this.#options;
    this.#link = open(this.#codec.path, {
      open: () => namespaces.forEach((namespace) => this.#send({ kind: CONNECT, namespace, data: { token: token() } })),
      message: (body) => this.#receive(this.#codec.decode(body)),
      frame: onFrame,
      close: (code, reason) => this.#onClose(code, reason),
    });
  }

  #send(packet) {
    this.#link.send(this.#codec.encode(packet));
  }

  #onClose(code, reason) {
    this.#connected.clear();
    for (const { reject } of this.#pending.values()) reject({ code: "offline", message: "The connection was lost." });
    this.#pending.clear();
    if (this.#closed) return;
    this.#options.onState("lost", { code, reason });
    const pause = RETRY_MS[Math.min(this.#losses++, RETRY_MS.length - 1)];
    this.#timer = setTimeout(() => this.#open(), pause * (0.5 + Math.random()));
  }

  #receive({ kind, namespace, id, data }) {
    if (kind === CONNECT) {
      this.#connected.add(namespace);
      if (this.#connected.size === this.#options.namespaces.length) {
        this.#losses = 0;
        this.#options.onState("open");
      }
    } else if (kind === EVENT) {
      this.#options.onPush(namespace, data[0], data[1]);
    } else if (kind === ACK) {
      this.#pending.get(id).resolve(data[0]);
      this.#pending.delete(id);
    } else if ((kind === CONNECT_ERROR || kind === DISCONNECT) && !this.#closed) {
      this.close();
      this.#options.onState("refused", data?.data);
    }
  }
}
