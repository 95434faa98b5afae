import { element, show } from "/client/dom.js";
import { codeFor, routeFor } from "/docs/console/code.js";
import { field, options, PayloadForm } from "/docs/console/fields.js";
import { SeenIds } from "/docs/console/seen_ids.js";

/** Chooses a command, fills in its payload as a form or as JSON, and calls it over the socket or REST. */
export class Calls {
  #api; #connection; #log; #seen = new SeenIds(); #form;
  #command; #way; #effect; #payload; #json; #asJson; #told; #call;

  constructor(api, connection, log) {
    this.#api = api;
    this.#connection = connection;
    this.#log = log;
    connection.listen({ push: (namespace, name, data) => this.#seen.look(name, data, connection.user), opened() {}, left() {} });
    const groups = api.namespaces.map((namespace) => element("optgroup", { label: namespace },
      ...api.commands.filter((command) => command.namespace === namespace).map(({ name }) => element("option", { value: name }, name))));
    this.#command = field("Command", element("select", { id: "console-command" }, ...groups));
    this.#command.control.dataset.first = "";
    this.#way = options("Over", { socket: "Socket", rest: "REST" });
    this.#effect = element("p", { className: "hint" });
    this.#payload = element("div", {});
    this.#json = field("Payload", element("textarea", { rows: 6, className: "code", spellcheck: false }));
    this.#asJson = element("input", { type: "checkbox", id: "console-as-json" });
    this.#told = element("p", { className: "bad", role: "alert" });
    this.#call = element("button", {}, "Call");
    const asJson = element("span", { className: "check" }, this.#asJson, element("label", { htmlFor: this.#asJson.id }, "as JSON"));
    this.view = element("form", { className: "calls", noValidate: true },
      element("div", { className: "row" }, this.#command.view, this.#way.view), this.#effect,
      this.#payload, this.#json.view, this.#told,
      element("div", { className: "row buttons" }, this.#call, asJson, element("span", { className: "hint" }, "Copy as"), ...this.#copyButtons()));
    this.#command.control.addEventListener("change", () => this.#show());
    this.#asJson.addEventListener("change", () => this.#switch());
    this.view.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.choose("user:me");
  }

  choose(name) {
    this.#command.control.value = name;
    this.#show();
  }

  get #chosen() {
    return this.#api.commands.find(({ name }) => name === this.#command.control.value);
  }

  #show() {
    const { payload, example, effect, routes } = this.#chosen;
    const schema = this.#api.schemas[payload];
    const given = { ...example };
    for (const name of Object.keys(schema.properties ?? {})) {
      if (/_id$|_ids$|^token$|^before$/.test(name)) delete given[name];
      if (name === "client_id") given[name] = undefined;
      const seen = this.#seen.get(name);
      if (seen !== undefined && schema.required?.includes(name)) given[name] = seen;
    }
    this.#form = new PayloadForm(schema, given);
    this.#payload.replaceChildren(this.#form.view);
    this.#effect.textContent = effect.replaceAll("`", "");
    this.#json.control.value = JSON.stringify(this.#form.value(), null, 2);
    const rest = this.#way.control.querySelector('[value="rest"]');
    rest.disabled = routes.length === 0;
    if (rest.disabled) this.#way.control.value = "socket";
    this.#told.textContent = "";
    this.#switch();
  }

  #switch() {
    const json = this.#asJson.checked;
    if (json && !this.#payload.hidden) this.#json.control.value = JSON.stringify(this.#form.value(), null, 2);
    show(this.#payload, !json);
    show(this.#json.view, json);
  }

  #value() {
    return this.#asJson.checked ? JSON.parse(this.#json.control.value || "{}") : this.#form.value();
  }

  async #send() {
    const command = this.#chosen;
    let payload;
    try {
      payload = this.#value();
      this.#told.textContent = "";
    } catch (error) {
      this.#told.textContent = `The payload is not JSON: ${error.message}`;
      return;
    }
    const overRest = this.#way.control.value === "rest";
    const entry = this.#log.call(overRest ? "REST" : command.namespace, command.name, payload);
    this.#call.disabled = true;
    try {
      if (overRest) {
        const { method, path, body } = routeFor(command, payload);
        const { status, answer } = await this.#connection.request(method, path, body);
        entry.answered(answer, status);
        this.#seen.look(command.name, answer.data, this.#connection.user);
      } else {
        const answer = await this.#connection.ask(command.namespace, command.name, payload);
        entry.answered(answer);
        this.#seen.look(command.name, answer.data, this.#connection.user);
      }
    } catch (error) {
      entry.answered({ ok: false, error: { code: error.code ?? "offline", message: error.message } });
    } finally {
      this.#call.disabled = false;
    }
  }

  #copyButtons() {
    return ["curl", "JavaScript", "Python"].map((language) => {
      const button = element("button", { type: "button", className: "quiet" }, language);
      button.setAttribute("aria-label", `Copy as ${language}`);
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(codeFor(language, this.#chosen, this.#value()));
          this.#log.note(`Copied as ${language}.`);
        } catch (error) {
          this.#told.textContent = `Not copied: ${error.message}`;
        }
      });
      return button;
    });
  }
}
