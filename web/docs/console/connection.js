import { element, show } from "/client/dom.js";
import * as session from "/client/session.js";
import { RookerySocket } from "/client/socket.js";
import { field, options } from "/docs/console/fields.js";

const STATES = { off: "not connected", opening: "connecting…", open: "connected", lost: "reconnecting…", refused: "refused" };

/** Who is logged in, and the connection: its forms, and the calls over it. Tells each push to `heard`. */
export class Connection {
  #api; #log; #socket = null; #listeners = [];
  #login; #account; #who;

  constructor(api, log) {
    this.#api = api;
    this.#log = log;
    this.state = element("p", { className: "state" });
    this.transport = options("Transport", { websocket: "WebSocket", polling: "Polling" });
    this.codec = options("Encoding", { json: "JSON", msgpack: "msgpack" });
    for (const { control } of [this.transport, this.codec]) {
      control.addEventListener("change", () => session.current() && this.connect());
    }
    this.#login = this.#loginForm();
    this.#account = this.#accountRow();
    this.view = element("div", { className: "session" }, this.#login, this.#account,
      element("div", { className: "row" }, this.transport.view, this.codec.view));
    this.#showState("off");
    this.#showLogin();
    if (session.current()) this.connect();
  }

  /** `push(namespace, name, data)`, `opened()` and `left()`, where the user logs out, are called from now on. */
  listen(listener) {
    this.#listeners.push(listener);
  }

  get user() {
    return session.current()?.user ?? null;
  }

  connect() {
    this.#socket?.close();
    this.#showState("opening");
    const started = performance.now();
    this.#socket = new RookerySocket({
      namespaces: this.#api.namespaces,
      token: () => session.current()?.access_token,
      transport: this.transport.control.value,
      codec: this.codec.control.value,
      onPush: (namespace, name, data) => this.#onPush(namespace, name, data),
      onState: (state, why) => this.#onState(state, why, started),
      onFrame: (direction, data) => this.#log.frame(direction, data),
    });
  }

  /** The answer to a command over the socket. */
  ask(namespace, name, payload) {
    if (!this.#socket) return Promise.reject({ code: "offline", message: "Log in first: then the console connects." });
    return this.#socket.ask(namespace, name, payload);
  }

  /** The answer to a command over REST, and its HTTP status. */
  async request(method, path, body) {
    const headers = { ...(session.current() && { Authorization: `Bearer ${session.current().access_token}` }) };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    return { status: response.status, answer: await response.json() };
  }

  #onPush(namespace, name, data) {
    this.#log.push(namespace, name, data);
    if (name === "token:expiring" && namespace === this.#api.namespaces[0]) this.#renew(namespace);
    for (const listener of this.#listeners) listener.push(namespace, name, data);
  }

  async #renew(namespace) {
    try {
      const { access_token } = await session.refresh();
      await this.#socket.call(namespace, "auth:renew", { token: access_token });
      this.#log.note("The access token was renewed.");
    } catch (error) {
      this.#log.note(`The access token was not renewed: ${error.message}`);
    }
  }

  async #onState(state, why, started) {
    this.#showState(state);
    if (state === "open") {
      this.#log.note(`Connected by ${this.transport.text()}, ${this.codec.text()}, in ${Math.round(performance.now() - started)} ms.`);
      for (const listener of this.#listeners) listener.opened();
    } else if (state === "lost") {
      this.#log.note(`The connection was lost: ${[why.code || "", why.reason].filter(Boolean).join(" ") || "no reason given"}.`);
    } else {
      this.#log.note(`Refused: ${why?.message ?? "the login session has ended"}`);
      if (why?.code === "token_expired") await session.refresh().then(() => this.connect()).catch(() => this.#leave());
      else this.#leave();
    }
  }

  #leave() {
    session.forget();
    this.#socket?.close();
    this.#socket = null;
    this.#showState("off");
    this.#showLogin();
    for (const listener of this.#listeners) listener.left();
  }

  #showState(state) {
    this.state.textContent = STATES[state];
    this.state.dataset.state = state;
  }

  #showLogin() {
    const user = this.user;
    show(this.#login, !user);
    show(this.#account, Boolean(user));
    if (user) this.#who.textContent = user.username;
  }

  async #enter(username, password, told) {
    try {
      await session.logIn(username, password);
      told.textContent = "";
      this.#showLogin();
      this.connect();
    } catch (error) {
      told.textContent = error.message ?? String(error);
    }
  }

  #loginForm() {
    const { demo } = this.#api;
    const username = field("Username", element("input", { autocomplete: "username", required: true, name: "username" }));
    const password = field("Password", element("input", { type: "password", autocomplete: "current-password", required: true, name: "password" }));
    const told = element("p", { className: "bad", role: "alert" });
    const buttons = [element("button", {}, "Log in")];
    if (demo) {
      const enter = element("button", { type: "button", className: "quiet", id: "demo-login" }, `Log in as ${demo.username}`);
      enter.addEventListener("click", () => this.#enter(demo.username, demo.password, told));
      buttons.push(enter);
      password.control.value = demo.password;
    }
    const form = element("form", { className: "login" },
      element("div", { className: "row" }, username.view, password.view), element("div", { className: "row buttons" }, ...buttons), told);
    if (demo) form.append(element("p", { className: "hint" }, "Everybody in the demo network has this password. A second tab has its own login: be two people."));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter(username.control.value, password.control.value, told);
    });
    return form;
  }

  #accountRow() {
    this.#who = element("strong", { id: "console-user" });
    const leave = element("button", { type: "button", className: "quiet" }, "Log out");
    leave.addEventListener("click", async () => {
      await session.logOut().catch(() => {});
      this.#leave();
    });
    return element("div", { className: "row account" }, element("span", {}, "Logged in as ", this.#who), leave);
  }
}
