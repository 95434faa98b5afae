// Transports of Engine.IO, protocol 4. Each opens a connection and gives what it hears to
// `on = {open(), message(text or bytes), frame(direction, data), close(code, reason)}`; `close` comes once.

const SEPARATOR = "\x1e";

export const TRANSPORTS = { websocket: openWebSocket, polling: openPolling };

function openWebSocket(path, on) {
  const address = new URL(`${path}?EIO=4&transport=websocket`, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  const send = (packet) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    on.frame("sent", packet);
    socket.send(packet);
  };
  socket.onmessage = ({ data }) => {
    const packet = typeof data === "string" ? data : new Uint8Array(data);
    on.frame("received", packet);
    receive(packet, on, send);
  };
  socket.onclose = ({ code, reason }) => on.close(code, reason);
  return {
    send: (message) => send(typeof message === "string" ? `4${message}` : message),
    close: () => socket.close(),
  };
}

function openPolling(path, on) {
  const address = new URL(`${path}?EIO=4&transport=polling`, location.href);
  const stopped = new AbortController();
  let waiting = [];
  let posting = false;
  let ended = false;

  const end = (reason) => {
    if (ended) return;
    ended = true;
    stopped.abort();
    on.close(0, reason);
  };

  const send = async (packet) => {
    on.frame("sent", packet);
    waiting.push(typeof packet === "string" ? packet : `b${toBase64(packet)}`);
    if (posting) return;
    posting = true;
    while (waiting.length && !ended) {
      const body = waiting.join(SEPARATOR);
      waiting = [];
      try {
        await request({ method: "POST", body });
      } catch (error) {
        end(error.message);
      }
    }
    posting = false;
  };

  const request = async (options) => {
    const response = await fetch(address, { ...options, signal: stopped.signal, cache: "no-store" });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return response.text();
  };

  const poll = async () => {
    try {
      while (!ended) {
        for (const part of (await request({})).split(SEPARATOR)) {
          if (ended) return;
          const packet = part[0] === "b" ? fromBase64(part.slice(1)) : part;
          on.frame("received", packet);
          if (packet[0] === "0") address.searchParams.set("sid", JSON.parse(packet.slice(1)).sid);
          if (packet === "1") return end("closed by the server");
          receive(packet, on, send);
        }
      }
    } catch (error) {
      end(error.message);
    }
  };
  poll();
  return {
    send: (message) => send(typeof message === "string" ? `4${message}` : message),
    async close() {
      if (ended) return;
      ended = true;
      on.close(0, "closed by the client");
      // The server answers the waiting poll then; to cut that off before would be a loss.
      if (address.searchParams.has("sid")) await fetch(address, { method: "POST", body: "1", keepalive: true }).catch(() => {});
      stopped.abort();
    },
  };
}

/** A packet of Engine.IO: open, ping, or a message. */
function receive(packet, on, send) {
  if (typeof packet !== "string") on.message(packet);
  else if (packet[0] === "0") on.open();
  else if (packet[0] === "2") send("3");
  else if (packet[0] === "4") on.message(packet.slice(1));
}

function toBase64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}
