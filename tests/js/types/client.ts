// A client of everything that types.d.ts describes. `tsc --strict` checks it: what stands below `@ts-expect-error`
// must be refused, each for the one reason that the comment names, and all else must pass.
import { io, type Socket } from "socket.io-client";
import type {
  Answer,
  AuthCommands,
  AuthPushes,
  ChatCommands,
  ChatPushes,
  CloseCode,
  Collections,
  CommandError,
  ConnectAuth,
  ConnectErrorData,
  ErrorCode,
  FeedCommands,
  FeedPushes,
  Id,
  Namespaces,
  Page,
  PolledEvent,
  Post,
  PostsCommands,
  PostsPushes,
  RestRoutes,
  StreamClose,
  StreamTicket,
  User,
  UsersCommands,
  UsersPushes,
} from "rookery";

const auth: ConnectAuth = { token: "t", recovery: true };
const login: Socket<AuthPushes, AuthCommands> = io("/auth");
const users: Socket<UsersPushes, UsersCommands> = io("/users", { auth });
const posts: Socket<PostsPushes, PostsCommands> = io("/posts", { auth });
const feed: Socket<FeedPushes, FeedCommands> = io("/feed", { auth });
const chat: Socket<ChatPushes, ChatCommands> = io("/chat", { auth });

const post_id: Id = "185604284416000002";
const store = new Map<Id, Post>();

export async function commands(): Promise<number> {
  const answer = await posts.emitWithAck("post:like", { post_id });
  // @ts-expect-error: whether there is data has to be asked first
  answer.data;
  // @ts-expect-error: a successful command has no error
  if (answer.ok) answer.error;
  if (answer.ok) return answer.data.like_count;
  const error: CommandError = answer.error;
  // @ts-expect-error: a failed command has no data
  answer.data;
  switch (answer.error.code) {
    case "not_found":
    case "unauthenticated":
    case "token_expired":
    case "invalid_payload":
    case "too_large":
    case "internal":
      return 0;
    case "rate_limited":
    case "unavailable":
      return error.retry_after_ms ?? 1_000;
    // @ts-expect-error: `post:like` never answers `conflict`
    case "conflict":
      return 0;
  }
}

export async function payloads(): Promise<void> {
  await users.emitWithAck("user:me", {});
  await users.emitWithAck("user:get", { user_id: "1" });
  await users.emitWithAck("user:get", { username: "ada", user_id: null });
  await users.timeout(10_000).emitWithAck("user:update", { bio: null, settings: { theme: "dark", size: 2 } });
  users.emit("user:follow", { user_id: "1" }, (answer) => answer.ok && answer.data.requested);
  await posts.emitWithAck("post:create", { text: "Hello", visibility: "followers" });
  await posts.emitWithAck("post:create", { link: "https://example.org/" });
  await chat.emitWithAck("chat:sync", { positions: { "185604284416000001": 4 } });
  await chat.emitWithAck("presence:unwatch", {});
  await login.emitWithAck("auth:register", { username: "ada", password: "analytical engine", email: "a@example.org" });
  // @ts-expect-error: there is no such command
  await posts.emitWithAck("post:boost", { post_id });
  // @ts-expect-error: the command is one of another namespace
  await posts.emitWithAck("feed:page", {});
  // @ts-expect-error: a required field is missing
  await posts.emitWithAck("post:like", {});
  // @ts-expect-error: a command without fields needs its empty payload
  await users.emitWithAck("user:me");
  // @ts-expect-error: ids are strings
  await posts.emitWithAck("post:like", { post_id: 185604284416000002 });
  // @ts-expect-error: the server refuses unknown fields
  await posts.emitWithAck("post:like", { post_id, liked: true });
  // @ts-expect-error: the server refuses fields of a command without fields
  await users.emitWithAck("user:me", { user_id: "1" });
  // @ts-expect-error: not one of the possible values
  await posts.emitWithAck("post:create", { text: "Hello", visibility: "friends" });
  // @ts-expect-error: null stands for nothing where there is a default
  await posts.emitWithAck("post:create", { text: "Hello", visibility: null });
  // @ts-expect-error: no such Collection
  await posts.emitWithAck("sync:pull", { collections: ["posts"] });
}

export async function answers(): Promise<string | undefined> {
  const answer = await feed.emitWithAck("feed:subscribe", { limit: 3 });
  if (!answer.ok) return answer.error.message;
  for (const post of answer.data.items) store.set(post.id, post);
  const likers = await posts.emitWithAck("post:likers", { post_id });
  const page: Page<User> | undefined = likers.ok ? likers.data : undefined;
  // @ts-expect-error: no field of the answer
  answer.data.posts;
  // @ts-expect-error: an optional field of an answer may be absent
  answer.data.items[0]?.edited_at_ms.toFixed();
  const unliked = await posts.emitWithAck("post:unlike", { post_id });
  if (unliked.ok) {
    const liked: false = unliked.data.liked;
    // @ts-expect-error: what may be absent is never null
    const count: number | null = unliked.data.like_count;
    return String([liked, count]);
  }
  return page?.next_cursor;
}

export async function anonymously(): Promise<string> {
  const answer: Answer<{ access_token: string }> = await login.emitWithAck("auth:login", { login: "a", password: "b" });
  const refreshed = await login.emitWithAck("auth:refresh", { refresh_token: "r" });
  // @ts-expect-error: who refreshes needs no access token, so none has expired
  if (!refreshed.ok && refreshed.error.code === "token_expired") return "";
  return answer.ok ? answer.data.access_token : answer.error.code;
}

export function pushes(): void {
  posts.on("post:updated", ({ post }) => store.set(post.id, post));
  feed.on("post:updated", ({ post }) => store.set(post.id, post));
  feed.on("feed:removed", ({ post_ids }) => post_ids.forEach((id) => store.delete(id)));
  chat.on("resync", ({ scope }, offset) => console.log(scope, offset?.length));
  chat.on("token:expiring", async () => chat.emitWithAck("auth:renew", { token: "t" }));
  users.on("server:draining", ({ reconnect_after_ms }) => reconnect_after_ms.toFixed());
  users.on("collection:changed", (changed) => {
    if (changed.name === "me") return changed.upserts[0]?.user.username;
    // @ts-expect-error: items of another Collection
    return changed.upserts[0]?.user.username;
  });
  users.on("connect_error", (error) => console.log((error as { data?: ConnectErrorData }).data?.code));
  // @ts-expect-error: there is no such push
  feed.on("feed:old", () => undefined);
  // @ts-expect-error: the push is one of another namespace
  feed.on("message:created", () => undefined);
  // @ts-expect-error: no field of the push
  feed.on("feed:new", ({ item }) => item);
  // @ts-expect-error: a handler of other data
  feed.on("feed:removed", (data: { post_ids: number[] }) => data);
}

type Store = { [Name in keyof Collections]: Map<string, Collections[Name]> };

export async function pull(kept: Store, cursor?: string): Promise<string | undefined> {
  const answer = await users.emitWithAck("sync:pull", cursor === undefined ? {} : { cursor });
  if (!answer.ok) return cursor;
  const { feed: posts, me } = answer.data.changes;
  for (const post of posts?.upserts ?? []) kept.feed.set(post.id, post);
  for (const id of posts?.removed ?? []) kept.feed.delete(id);
  for (const own of me?.upserts ?? []) kept.me.set(own.user.id, own);
  // @ts-expect-error: items of another Collection
  for (const post of posts?.upserts ?? []) kept.messages.set(post.id, post);
  return answer.data.cursor;
}

export async function rest<Name extends keyof RestRoutes>(
  name: Name,
  path: RestRoutes[Name]["path"],
  fields: RestRoutes[Name]["fields"],
): Promise<Answer<RestRoutes[Name]["data"]>> {
  const [method = "GET", template = ""] = name.split(" ");
  const values = new Map(Object.entries(path));
  const url = "/v1" + template.replace(/\{(\w+)\}/g, (_, field: string) => String(values.get(field)));
  return (await fetch(url, { method, body: JSON.stringify(fields) })).json();
}

export async function routes(): Promise<number> {
  const answer = await rest("POST /posts/{post_id}/likes", { post_id }, {});
  await rest("GET /users/{user_id}", { user_id: "1" }, {});
  await rest("POST /messages", {}, { user_id: "1", text: "Hello" });
  // @ts-expect-error: there is no such route
  await rest("POST /posts/{post_id}/boosts", { post_id }, {});
  // @ts-expect-error: a field of the path is missing
  await rest("POST /posts/{post_id}/likes", {}, {});
  // @ts-expect-error: what stands in the path stands nowhere else
  await rest("POST /posts/{post_id}/comments", { post_id }, { post_id, text: "Well said" });
  return answer.ok ? answer.data.like_count : 0;
}

export function polled(event: PolledEvent): string {
  if (event.namespace === "/chat" && event.name === "message:created") return event.data.message.text;
  // @ts-expect-error: the data of another push
  if (event.namespace === "/chat" && event.name === "receipt:updated") return event.data.message.text;
  // @ts-expect-error: not every event has an id
  return event.id;
}

export function stream(ticket: StreamTicket, show: (event: PolledEvent) => void): void {
  const events = new EventSource(`/v1/events/stream?ticket=${ticket.ticket}`);
  events.addEventListener("message:created", (event) => show(JSON.parse(event.data)));
  events.addEventListener("close", (event) => {
    const close: StreamClose = JSON.parse(event.data);
    if (close.code === 4001 && close.reconnect) events.close();
    // @ts-expect-error: no such close code
    if (close.code === 4013) events.close();
  });
}

const closed: CloseCode = 4012;
const namespace: keyof Namespaces = "/chat";
// @ts-expect-error: no such close code
const unknown: CloseCode = 4013;
// @ts-expect-error: no such error
const odd: ErrorCode = "gone";
// @ts-expect-error: no option of a connection
const wrong: ConnectAuth = { jwt: "t" };
export { closed, namespace, odd, unknown, wrong };
