// Node's socket.io: `node --expose-gc server.mjs --port N`.
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { Server } from "socket.io";

const NAMESPACES = ["/", "/b", "/c", "/d", "/e", "/f"];
const { values } = parseArgs({ options: { port: { type: "string" } } });

const http = createServer();
const io = new Server(http, { serveClient: false, pingInterval: 600_000 });
for (const name of NAMESPACES) {
  io.of(name).on("connection", (socket) => {
    socket.on("pub", (data) => io.of(name).emit("msg", data));
    socket.on("echo", (data, ack) => ack({ ok: true }));
  });
}
process.on("SIGUSR2", () => globalThis.gc?.());
process.on("SIGTERM", () => process.exit(0));
http.listen({ port: Number(values.port), host: "127.0.0.1", backlog: 1024 }, () => console.log('{"ready": true}'));
