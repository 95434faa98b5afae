// Official JavaScript clients that lose their connections, change the server and reconnect by themselves, controlled by
// lines of JSON: commands on standard input; answers and the clients' events on standard output.
import { createInterface } from "node:readline";
import { Manager } from "socket.io-client";
import msgpackParser from "socket.io-msgpack-parser";

const devices = new Map();

function tell(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

const verbs = {
  connect({ device, url, path, auth, namespaces, transports, msgpack, options }) {
    const parser = msgpack ? { parser: msgpackParser } : {};
    const manager = new Manager(url, {
      path,
      transports,
      reconnectionDelay: 50,
      reconnectionDelayMax: 200,
      ...parser,
      ...options,
    });
    const sockets = new Map();
    for (const namespace of namespaces) {
      const socket = manager.socket(namespace, { auth, ...options });
      socket.onAny((...args) => tell({ device, namespace, args }));
      socket.on("connect", () => tell({ device, namespace, connected: socket.id, recovered: !!socket.recovered }));
      socket.on("connect_error", (error) => tell({ device, namespace, refused: error.data ?? error.message }));
      sockets.set(namespace, socket);
    }
    manager.on("close", (reason) => tell({ device, closed: reason }));
    devices.set(device, { manager, sockets });
  },

  call({ device, namespace, name, payload }) {
    return devices.get(device).sockets.get(namespace).timeout(20_000).emitWithAck(name, payload);
  },

  // Closes the connection without a Socket.IO DISCONNECT; the client reconnects by itself.
  drop({ device }) {
    devices.get(device).manager.engine.close();
  },

  // Leaves the old connection open and unread, and reconnects on a new one, as after a change of network.
  slip({ device, url }) {
    const { manager } = devices.get(device);
    manager.uri = url ?? manager.uri;
    const old = manager.engine;
    old.transport.ws?._socket?.pause();
    old.transport.removeAllListeners();
    old.transport.close = () => {};
    old._onClose("transport close");
  },

  // Stops reading without closing.
  stall({ device }) {
    devices.get(device).manager.engine.transport.ws._socket.pause();
  },

  aim({ device, url }) {
    devices.get(device).manager.uri = url;
  },

  // Sets what the client sends when it reconnects.
  pretend({ device, namespace, pid, offset }) {
    const socket = devices.get(device).sockets.get(namespace);
    socket._pid = pid ?? socket._pid;
    socket._lastOffset = offset ?? socket._lastOffset;
  },

  known({ device, namespace }) {
    const socket = devices.get(device).sockets.get(namespace);
    return { pid: socket._pid ?? null, offset: socket._lastOffset ?? null, id: socket.id ?? null };
  },

  auth({ device, auth }) {
    for (const socket of devices.get(device).sockets.values()) {
      socket.auth = auth;
    }
  },

  close({ device }) {
    const { manager, sockets } = devices.get(device);
    manager.reconnection(false);
    for (const socket of sockets.values()) {
      socket.disconnect();
    }
    manager._close();
  },
};

createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const { id, verb, ...rest } = JSON.parse(line);
    try {
      tell({ answer: id, value: (await verbs[verb](rest)) ?? null });
    } catch (error) {
      tell({ answer: id, error: error.message });
    }
  })
  .on("close", () => process.exit(0));
