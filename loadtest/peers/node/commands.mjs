// The product's commands as plain code on socket.io and node-postgres, without tokens, limits and checks of input:
// `node commands.mjs --port N --database URL --pool N --statements FILE [--trace]`. `--trace` prints every statement.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import pg from "pg";
import { Server } from "socket.io";

const { values: options } = parseArgs({
  options: {
    port: { type: "string" },
    database: { type: "string" },
    pool: { type: "string" },
    statements: { type: "string" },
    trace: { type: "boolean", default: false },
  },
});
const LARGEST_ID = "9223372036854775807";
const BROADCASTER_FROM = 10_000;
const FEED_LIST_MAX = 800;
const FEED_IDS_SENT = 26;
const HIDDEN_FROM_MAX = 5_000;

const pool = new pg.Pool({
  connectionString: options.database,
  max: Number(options.pool),
  min: Number(options.pool),
  idleTimeoutMillis: 0,
});
const exported = JSON.parse(readFileSync(options.statements, "utf8"));

// A statement of the product, prepared once per connection. It must take these parameters; it gets them in this order.
function statement(name, ...parameters) {
  const found = exported[name];
  if (found === undefined) throw new Error(`the product has no statement ${name}`);
  if (found.parameters.toSorted().join() !== parameters.toSorted().join())
    throw new Error(`${name} takes ${found.parameters.join(", ")}, not ${parameters.join(", ")}`);
  const places = found.parameters.map((parameter) => parameters.indexOf(parameter));
  let at;
  return async (client, ...given) => {
    if (options.trace) console.log(JSON.stringify(name));
    const values = places.map((place) => given[place]);
    // Rows as arrays, since several columns of one row are called `id`.
    const { rows, fields } = await client.query({ name, text: found.text, values, rowMode: "array" });
    at ??= placesOf(fields);
    return { rows, at };
  };
}

// The place of each column by its name; a second `id` is called `id_2`.
function placesOf(fields) {
  const at = {};
  for (const [place, { name }] of fields.entries()) at[name in at ? `${name}_2` : name] = place;
  return at;
}

const readOwnProfile = statement("plain.read_own_profile", "user_id");
const peek = statement("plain.peek", "viewer_id", "after");
const homeIds = statement("feed.home_ids", "viewer_id", "id_limit");
const homePage = statement("plain.home_page", "viewer_id", "before", "ids", "page_size", "skip", "floor");
const readPost = statement("plain.read_post", "viewer_id", "post_id");
const insertPost = statement(
  "plain.insert_post", "author_id", "kind", "text", "link", "entity_set", "visibility", "replies_from", "sensitive",
  "client_id",
);
const likePost = statement("plain.like_post", "user_id", "post_id");
const unlikePost = statement("plain.unlike_post", "post_id", "user_id");
const insertComment = statement(
  "plain.insert_comment", "post_id", "parent_id", "author_id", "text", "client_id", "id_limit",
);
const sendMessage = statement(
  "plain.send_message", "conversation_id", "sender_id", "client_id", "text", "reply_to_seq",
);
const followUser = statement("plain.follow", "follower_id", "followed_id", "broadcaster_from");
const unfollowUser = statement("plain.unfollow", "follower_id", "followed_id");

async function withClient(work) {
  const client = await pool.connect();
  try {
    return await work(client);
  } finally {
    client.release();
  }
}

class Refused extends Error {}

// The only row of a result, by the names of its columns.
function only({ rows, at }) {
  if (rows.length === 0) throw new Refused("not_found");
  return [rows[0], at];
}

function card(row, at) {
  return {
    id: row[at.id_2],
    username: row[at.username],
    display_name: row[at.display_name],
    version: row[at.version_2 ?? at.version],
  };
}

function post(row, at) {
  return {
    id: row[at.id],
    version: row[at.version],
    author: card(row, at),
    kind: row[at.kind],
    text: row[at.text],
    media: [],
    link: row[at.link] ?? undefined,
    visibility: row[at.visibility],
    replies: row[at.replies],
    sensitive: row[at.sensitive],
    tags: [],
    mentions: [],
    links: [],
    like_count: row[at.like_count],
    comment_count: row[at.comment_count],
    share_count: row[at.share_count],
    created_at_ms: row[at.created_at].getTime(),
    edited_at_ms: row[at.edited_at]?.getTime(),
    viewer: {
      liked: row[at.viewer_liked], bookmarked: row[at.viewer_bookmarked], may_comment: row[at.viewer_may_comment],
    },
  };
}

const LIMITS = {
  display_name_chars: 50, bio_chars: 300, post_chars: 5_000, post_tags: 30, post_mentions: 30, link_chars: 2_048, comment_chars: 2_000,
  message_chars: 4_000, page_items: 100, page_items_default: 20, payload_bytes: 65_536,
};

// The position in a cursor; a cursor of another server stands at the end.
function afterOf(cursor) {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url"))[3];
  } catch {
    return LARGEST_ID;
  }
}

const feedLists = new Map();

// What a page needs of the list of a feed, which the product keeps in Redis; here it is read once and kept in memory.
async function feedList(me) {
  let list = feedLists.get(me);
  if (list === undefined) {
    const found = (await homeIds(pool, me, FEED_LIST_MAX)).rows.map(([id]) => id);
    const ids = found.slice(0, FEED_IDS_SENT);
    list = { ids, floor: found.length > FEED_IDS_SENT ? ids.at(-1) : "0" };
    feedLists.set(me, list);
  }
  return list;
}

const commands = {
  "/users": {
    // The product's first screens are not compared: without a cursor this answers one alone.
    async "sync:pull"(me, { cursor }) {
      const [row, at] = only(await peek(pool, me, afterOf(cursor)));
      const changes = {};
      for (const name of Object.keys(at)) if (row[at[name]] === true) changes[name] = { upserts: [], removed: [] };
      const next = Buffer.from(JSON.stringify([1, me, Date.now(), row[at.position]])).toString("base64url");
      return { changes, cursor: next, more: false };
    },
    async "user:me"(me) {
      const [row, at] = only(await readOwnProfile(pool, me));
      return {
        user: {
          id: row[at.id],
          version: row[at.version],
          username: row[at.username],
          display_name: row[at.display_name],
          bio: row[at.bio],
          follower_count: row[at.follower_count],
          following_count: row[at.following_count],
          post_count: row[at.post_count],
          is_private: row[at.is_private],
        },
        email: row[at.email] ?? undefined,
        phone: row[at.phone] ?? undefined,
        profile: row[at.profile],
        settings: row[at.settings],
        server_time_ms: Date.now(),
        limits: LIMITS,
        version: "0.1.0",
      };
    },
    async "user:follow"(me, { user_id }) {
      only(await followUser(pool, me, user_id, BROADCASTER_FROM));
      return { following: true, requested: false };
    },
    async "user:unfollow"(me, { user_id }) {
      await unfollowUser(pool, me, user_id);
      return { following: false, requested: false };
    },
  },
  "/posts": {
    "post:like": (me, { post_id }) =>
      withClient(async (client) => {
        only(await readPost(client, me, post_id));
        const [row, at] = only(await likePost(client, me, post_id));
        return { post_id, liked: true, like_count: row[at.like_count] };
      }),
    "post:unlike": (me, { post_id }) =>
      withClient(async (client) => {
        await unlikePost(client, post_id, me);
        const { rows, at } = await readPost(client, me, post_id);
        return { post_id, liked: false, like_count: rows[0]?.[at.like_count] };
      }),
    async "post:create"(me, { text }) {
      const [row, at] = only(await insertPost(pool, me, "text", text, null, "{}", "public", "everyone", false, null));
      return { post: post(row, at) };
    },
    "comment:create": (me, { post_id, text }) =>
      withClient(async (client) => {
        only(await readPost(client, me, post_id));
        const [row, at] = only(await insertComment(client, post_id, null, me, text, null, HIDDEN_FROM_MAX + 1));
        return {
          comment: {
            id: row[at.id],
            version: row[at.version],
            post_id: row[at.post_id],
            parent_id: row[at.parent_id] ?? undefined,
            author: card(row, at),
            text: row[at.text],
            like_count: row[at.like_count],
            reply_count: row[at.reply_count],
            created_at_ms: row[at.created_at].getTime(),
            viewer: { liked: row[at.viewer_liked] },
          },
        };
      }),
  },
  "/feed": {
    async "feed:page"(me, { limit }) {
      const { ids, floor } = await feedList(me);
      const { rows, at } = await homePage(pool, me, LARGEST_ID, ids, limit + 1, 0, floor);
      const shown = rows.slice(0, limit);
      return {
        items: shown.map((row) => post(row, at)),
        next_cursor: rows.length > limit ? shown.at(-1)[at.id] : undefined,
      };
    },
  },
  "/chat": {
    async "message:send"(me, { conversation_id, text }) {
      const [row, at] = only(await sendMessage(pool, conversation_id, me, null, text, null));
      return {
        message: {
          id: row[at.id],
          conversation_id: row[at.conversation_id],
          seq: Number(row[at.seq]),
          rev: Number(row[at.rev]),
          sender: {
            id: row[at.sender_id],
            username: row[at.sender_username],
            display_name: row[at.sender_display_name],
            version: row[at.sender_version],
          },
          text: row[at.text],
          media: [],
          created_at_ms: row[at.created_at].getTime(),
        },
      };
    },
  },
};

const http = createServer();
const io = new Server(http, { serveClient: false });
for (const [namespace, handlers] of Object.entries(commands)) {
  io.of(namespace).on("connection", (socket) => {
    const me = socket.handshake.auth.user_id;
    for (const [name, handle] of Object.entries(handlers)) {
      socket.on(name, async (payload, ack) => {
        try {
          ack({ ok: true, data: await handle(me, payload) });
        } catch (error) {
          ack({ ok: false, error: { code: error instanceof Refused ? error.message : "internal" } });
          if (!(error instanceof Refused)) console.error(error);
        }
      });
    }
  });
}
process.on("SIGTERM", () => process.exit(0));
http.listen({ port: Number(options.port), host: "127.0.0.1", backlog: 1024 }, () => console.log('{"ready": true}'));
