// Packets of Socket.IO, protocol 5: `{kind, namespace, id?, data?}`, as JSON or msgpack.

import { pack, unpack } from "/client/msgpack.js";

export const CONNECT = 0;
export const DISCONNECT = 1;
export const EVENT = 2;
export const ACK = 3;
export const CONNECT_ERROR = 4;

const json = {
  path: "/socket.io/",
  encode: ({ kind, namespace, id, data }) =>
    `${kind}${namespace},${id ?? ""}${data === undefined ? "" : JSON.stringify(data)}`,
  decode(text) {
    const [, kind, namespace, id, body] = /^(\d)(\/[^,]*)(?:,|$)(\d*)(.*)$/s.exec(text);
    return { kind: Number(kind), namespace, id: id ? Number(id) : undefined, data: body ? JSON.parse(body) : undefined };
  },
};

const msgpack = {
  path: "/socket.io-msgpack/",
  encode: ({ kind, namespace, id, data }) => pack({ type: kind, nsp: namespace, data, id }),
  decode(bytes) {
    const { type, nsp, data, id } = unpack(bytes);
    return { kind: type, namespace: nsp, id: id ?? undefined, data };
  },
};

export const CODECS = { json, msgpack };
