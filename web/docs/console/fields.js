import { element } from "/client/dom.js";

let made = 0;

/** A control with its label. */
export function field(name, control, hint = "") {
  control.id ||= `console-field-${made++}`;
  const label = element("label", { htmlFor: control.id }, name);
  if (hint) label.append(" ", element("span", { className: "hint" }, hint));
  return { view: element("div", { className: "field" }, label, control), control };
}

/** A choice of few: `values` are texts by value. */
export function options(name, values) {
  const control = element("select", {}, ...Object.entries(values).map(([value, text]) => element("option", { value }, text)));
  return { ...field(name, control), text: () => values[control.value] };
}

const ID = /^\^\(0\|/;
const LONG = 200;

/** A form made from the JSON Schema of a payload: `value()` is the payload, without the fields that are left empty. */
export class PayloadForm {
  #inputs = new Map();

  constructor(schema, given) {
    const required = new Set(schema.required);
    this.view = element("div", { className: "payload" });
    for (const [name, declared] of Object.entries(schema.properties ?? {})) {
      const type = withoutNull(declared);
      const { view, control } = field(name, inputFor(type), required.has(name) ? "required" : hintOf(type));
      control.name = name;
      control.classList.add("code");
      if (given[name] !== undefined) control.value = typeof given[name] === "string" ? given[name] : JSON.stringify(given[name]);
      this.#inputs.set(name, { control, type });
      this.view.append(view);
    }
    if (!this.#inputs.size) this.view.append(element("p", { className: "hint" }, "The payload is empty."));
  }

  /** Throws SyntaxError for a field whose JSON is broken. */
  value() {
    const filled = [...this.#inputs].filter(([, { control }]) => control.value !== "");
    return Object.fromEntries(filled.map(([name, { control, type }]) => [name, read(control.value, type)]));
  }
}

function withoutNull(schema) {
  const kinds = (schema.anyOf ?? [schema]).filter(({ type }) => type !== "null");
  return kinds.length === 1 ? { ...schema, ...kinds[0] } : { ...schema, anyOf: kinds };
}

function inputFor(type) {
  const values = type.enum ?? (type.type === "boolean" ? ["true", "false"] : null);
  if (values) return element("select", {}, element("option", { value: "" }, "—"), ...values.map((value) => element("option", { value: String(value) }, String(value))));
  if (type.type === "integer") return element("input", { type: "number", step: 1 });
  if (type.type === "string" && !(type.maxLength > LONG)) return element("input", { autocomplete: "off", spellcheck: false });
  return element("textarea", { rows: 2, spellcheck: false });
}

function hintOf(type) {
  if (type.type === "string") return ID.test(type.pattern) ? "id" : "";
  return type.enum || type.type === "boolean" ? "" : type.type === "integer" ? "number" : "JSON";
}

function read(text, type) {
  return type.type === "string" ? text : JSON.parse(text);
}
