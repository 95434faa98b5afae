// Official JavaScript clients, controlled by lines of JSON: commands on standard input; answers, pushes and the ends of
// connections on standard output.
import { createInterface } from "node:readline";
import { Manager } from "socket.io-client";

const CALL_TIMEOUT_MS = 20_000;
const devices = new Map();

function tell(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

function joined(socket) {
  return new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", (error) => reject(new Error(JSON.stringify(error.data ?? error.message))));
  });
}

const verbs = {
  async connect({ device, url, auth, namespaces, transports }) {
    const manager = new Manager(url, { reconnection: false, transports });
    const sockets = new Map();
    for (const namespace of namespaces) {
      const socket = manager.socket(namespace, { auth });
      socket.onAny((name, data = null) => tell({ push: name, device, namespace, data }));
      sockets.set(namespace, socket);
    }
    devices.set(device, { manager, sockets });
    await Promise.all([...sockets.values()].map(joined));
    manager.on("close", (reason) => tell({ closed: reason, device }));
  },

  call({ device, namespace, name, payload }) {
    return devices.get(device).sockets.get(namespace).timeout(CALL_TIMEOUT_MS).emitWithAck(name, payload);
  },

  close({ device }) {
    for (const socket of devices.get(device).sockets.values()) {
      socket.disconnect();
    }
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
