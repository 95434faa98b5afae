// A call as code to copy.

/** The REST route of a command for this payload: the first one whose path it fills in. */
export function routeFor({ routes }, payload) {
  const fits = ({ path }) => names(path).every((name) => name === "caller_id" || payload[name] !== undefined);
  const { method, path } = routes.find(fits) ?? routes[0];
  const rest = { ...payload };
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => {
    const value = name === "caller_id" ? "me" : rest[name];
    delete rest[name];
    return encodeURIComponent(value ?? "");
  });
  if (["POST", "PUT", "PATCH"].includes(method)) return { method, path: `/v1${filled}`, body: rest };
  const query = new URLSearchParams(Object.entries(rest).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]));
  return { method, path: `/v1${filled}${query.size ? `?${query}` : ""}`, body: undefined };
}

function names(path) {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
}

export function codeFor(language, command, payload) {
  return { curl, JavaScript: javascript, Python: python }[language](command, payload);
}

function curl(command, payload) {
  if (!command.routes.length) return `# ${command.name} has no REST route: it acts on a socket`;
  const { method, path, body } = routeFor(command, payload);
  const parts = [`curl -X ${method} ${quoted(location.origin + path)}`];
  if (command.access === "person") parts.push('-H "Authorization: Bearer $TOKEN"');
  if (body && Object.keys(body).length) parts.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`);
  return parts.join(" \\\n  ");
}

function quoted(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function javascript({ name, namespace, access }, payload) {
  const auth = access === "person" ? ", { auth: { token } }" : "";
  return `import { io } from "socket.io-client";

const socket = io("${location.origin}${namespace}"${auth});
const answer = await socket.emitWithAck("${name}", ${JSON.stringify(payload, null, 2)});
if (!answer.ok) throw new Error(answer.error.message);
console.log(answer.data);
`;
}

function python({ name, namespace, access }, payload) {
  const auth = access === "person" ? ', auth={"token": token}' : "";
  return `import socketio

with socketio.SimpleClient() as socket:
    socket.connect("${location.origin}", namespace="${namespace}"${auth})
    answer = socket.call("${name}", ${pythonLiteral(payload)})
    print(answer["data"] if answer["ok"] else answer["error"])
`;
}

function pythonLiteral(value) {
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  if (value && typeof value === "object") {
    return `{${Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${pythonLiteral(item)}`).join(", ")}}`;
  }
  return { true: "True", false: "False", null: "None" }[String(value)] && typeof value !== "string"
    ? { true: "True", false: "False", null: "None" }[String(value)]
    : JSON.stringify(value);
}
