import { element } from "/client/dom.js";

const KEPT = 300;

/** What happened, the newest first: calls with their answers and how long they took, pushes, notes, and frames on request. */
export class Log {
  #list = element("ol", { className: "log" });
  #frames = element("input", { type: "checkbox", id: "console-frames" });
  #tell;

  /** `tell(text)` says something to a reader of the screen: answers and notes, never pushes, of which there may be many. */
  constructor(tell) {
    this.#tell = tell;
    const clear = element("button", { type: "button", className: "quiet" }, "Clear");
    clear.addEventListener("click", () => this.#list.replaceChildren());
    this.view = element("section", { className: "happened" },
      element("div", { className: "row head" }, element("h3", {}, "What happened"),
        element("span", { className: "check" }, this.#frames, element("label", { htmlFor: this.#frames.id }, "Frames")), clear),
      this.#list);
    this.view.setAttribute("aria-label", "What happened");
  }

  call(place, name, payload) {
    const started = performance.now();
    const time = element("span", { className: "took" }, "…");
    const body = element("div", {}, block("Payload", payload));
    const item = this.#add("call", place, name, time, body);
    return {
      answered: (answer, status) => {
        const took = `${(performance.now() - started).toFixed(1)} ms`;
        const result = answer.ok ? "ok" : answer.error.code;
        time.textContent = `${[status, result].filter(Boolean).join(" ")} · ${took}`;
        item.classList.add(answer.ok ? "good" : "failed");
        body.append(block("Answer", answer));
        item.querySelector("details").open = true;
        this.#tell(`${name}: ${result}, ${took}`);
      },
    };
  }

  push(namespace, name, data) {
    this.#add("push", namespace, name, clock(), block("Data", data));
  }

  note(text) {
    this.#put(element("li", { className: "said" }, clock(), " ", text));
    this.#tell(text);
  }

  frame(direction, data) {
    if (!this.#frames.checked) return;
    const text = typeof data === "string" ? data : [...data].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    this.#put(element("li", { className: "frame" }, element("span", { className: "kind" }, direction === "sent" ? "↑ sent" : "↓ heard"), " ", element("code", {}, text.slice(0, 4000))));
  }

  #add(kind, place, name, time, body) {
    const item = element("li", { className: kind },
      element("details", {}, element("summary", {}, element("span", { className: "kind" }, kind), " ", element("code", {}, name), " ",
        element("span", { className: "place" }, place), " ", time), body));
    this.#put(item);
    return item;
  }

  #put(item) {
    this.#list.prepend(item);
    while (this.#list.childElementCount > KEPT) this.#list.lastElementChild.remove();
  }
}

function block(name, value) {
  const code = element("pre", { tabIndex: 0 }, element("code", {}, JSON.stringify(value, null, 2)));
  code.setAttribute("role", "region");
  code.setAttribute("aria-label", name);
  return element("div", {}, element("p", { className: "label" }, name), code);
}

function clock() {
  return element("time", { className: "took" }, new Date().toLocaleTimeString(undefined, { hour12: false, fractionalSecondDigits: 3 }));
}
