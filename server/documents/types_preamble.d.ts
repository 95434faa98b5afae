// Types of Rookery's wire, made from the declarations of the server; for `socket.io-client` and for `fetch`.
//
//   import { io, type Socket } from "socket.io-client";
//   import type { ConnectAuth, PostsCommands, PostsPushes } from "./types";
//
//   const auth: ConnectAuth = { token, recovery: true };
//   const posts: Socket<PostsPushes, PostsCommands> = io("https://rookery.example/posts", { auth });
//   posts.on("post:updated", ({ post }) => show(post));
//   const answer = await posts.timeout(10_000).emitWithAck("post:like", { post_id });
//   if (answer.ok) show(answer.data.like_count);
//   else if (answer.error.code === "not_found") remove(post_id);
//
// What the server sends may get new fields in later versions. A field that is not there is absent, never null.

/** A decimal string, as JavaScript has no 64-bit integers. */
export type Id = string;

/** The answer to a command. With `ok`, what it did is stored. */
export type Answer<Data, Code extends ErrorCode = ErrorCode> =
  | { ok: true; data: Data }
  | { ok: false; error: CommandError<Code> };

/** Why a command failed: nothing of it was done. */
export interface CommandError<Code extends ErrorCode = ErrorCode> {
  code: Code;
  /** For developers, in English. */
  message: string;
  /** Whether the very same call may succeed later. */
  retryable: boolean;
  /** How long to wait before that. */
  retry_after_ms?: number;
  /** With `invalid_payload` and `conflict`: what is wrong, by field ("text", "settings.theme"). */
  fields?: Record<string, string>;
}

/**
 * An event of the client, which the server always answers; anybody may send it. `Code`: the errors that it may answer
 * beside those that every command may.
 */
export type OpenCommand<Payload, Data, Code extends ErrorCode = never> = (
  payload: Payload,
  answer: (answer: Answer<Data, Code | AlwaysPossible>) => void,
) => void;

/** A command for which one has to be logged in. */
export type Command<Payload, Data, Code extends ErrorCode = never> = OpenCommand<
  Payload,
  Data,
  Code | "unauthenticated" | "token_expired"
>;

/** An event of the server. `offset` is the official client's own: it comes where the client can recover. */
export type Push<Data> = (data: Data, offset?: string) => void;

/** The `auth` of a connection to a namespace. Only `/auth` takes clients without a token. */
export interface ConnectAuth {
  /** An access token. */
  token?: string;
  /** Ask for connection state recovery: what is missed in a short absence comes when the client is back. */
  recovery?: true;
}

/** `data` of a `connect_error`, where the caller has to mend something; official clients retry the rest. */
export interface ConnectErrorData {
  code: "unauthenticated" | "token_expired" | "forbidden";
  message: string;
}

/** A push as `GET /v1/events` gives it, and as it is the data of an event of `GET /v1/events/stream`. */
export type PolledEvent = {
  [Namespace in keyof Namespaces]: {
    [Name in keyof Namespaces[Namespace]["pushes"]]: {
      /** Absent for the `resync` with which a stream begins. */
      id?: string;
      namespace: Namespace;
      name: Name;
      data: Namespaces[Namespace]["pushes"][Name] extends Push<infer Data> ? Data : never;
    };
  }[keyof Namespaces[Namespace]["pushes"]];
}[keyof Namespaces];

/** The data of a successful `GET /v1/events`; `resync`: the cursor could not be continued from, so catch up. */
export interface PolledEvents {
  events: PolledEvent[];
  cursor: string;
  resync?: "all";
}

/** The data of `close`, the last event of a stream. */
export interface StreamClose {
  code: CloseCode;
  reason: string;
  /** Whether to come back with the id of the last event. */
  reconnect: boolean;
}

/** The data of `POST /v1/events/ticket`: a ticket is good for one stream. */
export interface StreamTicket {
  ticket: string;
  expires_in_s: number;
}

/**
 * A REST route below `/v1`: the fields of its path, the others (in the query of GET and DELETE, else in a JSON body),
 * and the data of its answer. `caller_id` is the caller's own id, or `me`.
 */
export interface RestRoute<InPath extends string, Payload, Data> {
  path: Record<InPath, string>;
  fields: Payload extends unknown ? Omit<Payload, InPath> : never;
  data: Data;
}
