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

/** Why a command failed. A code never changes its meaning. */
export type ErrorCode =
  /** The payload does not fit this command. */
  | "invalid_payload"
  /** Log in first. */
  | "unauthenticated"
  /** The access token has expired: renew it. */
  | "token_expired"
  /** This is not allowed to you. */
  | "forbidden"
  /** There is no such thing, or it is hidden from you. */
  | "not_found"
  /** This contradicts what is already there. */
  | "conflict"
  /** Too many calls: wait and try again. */
  | "rate_limited"
  /** The payload is larger than this command takes. */
  | "too_large"
  /** The server cannot do this right now: try again. */
  | "unavailable"
  /** This namespace has no such command. */
  | "unknown_command"
  /** The server failed. The log has the details under this id. */
  | "internal";

/** The errors that every command may answer. */
export type AlwaysPossible =
  | "invalid_payload"
  | "rate_limited"
  | "too_large"
  | "unavailable"
  | "internal";

/** The close codes of a WebSocket, each with its reason. */
export type CloseCode =
  /** token_expired: connect again, and recover. */
  | 4001
  /** slow_consumer: connect again, and recover. */
  | 4008
  /** protocol_error: do not connect again as before. */
  | 4009
  /** draining: connect again, and recover. */
  | 4012
  /** flood: connect again. */
  | 4029
  /** too_large: connect again, and recover. */
  | 1009
  /** session_revoked: do not connect again as before. */
  | 1000
  /** unavailable: connect again, and recover. */
  | 1013
  /** broken_frame: do not connect again as before. */
  | 1002
  /** invalid_text: do not connect again as before. */
  | 1007;

/** Commands of every namespace. */
export interface CommandsEverywhere {
  /**
   * Extends the whole connection by a newer access token of the same user and login session.
   *
   * A repeat changes nothing more. Limit: 60 calls in 60 s.
   */
  "auth:renew": Command<Renew, Renewed, "forbidden">;
  /**
   * Reads what changed in the caller's Collections since a cursor, whatever was missed; without a cursor, the
   * first screen of each.
   *
   * It changes nothing. Limit: 240 calls in 60 s. REST: `POST /v1/sync`.
   */
  "sync:pull": Command<Pull, PullAck>;
}

/** Pushes in every namespace. */
export interface PushesEverywhere {
  /**
   * A session of any namespace that may have missed pushes of `scope`. `sync:pull` heals `all`, `feed` and
   * `conversation:<id>`; a post that is watched, `post:<id>`, is watched and its comments are listed again.
   */
  "resync": Push<Resync>;
  /** Every session of a server that stops, before its connection is closed; its client connects again. */
  "server:draining": Push<ServerDraining>;
  /** Every namespace of a connection whose access token expires within a minute; `auth:renew` extends it. */
  "token:expiring": Push<TokenExpiring>;
  /** Every namespace of every connection of a revoked login session, before the connection is closed. */
  "session:revoked": Push<SessionRevoked>;
  /** All devices of the user whose Collection changed, for Collections without pushes of their own. */
  "collection:changed": Push<CollectionChanged>;
}

/** Commands of `/auth`. */
export interface AuthCommands extends CommandsEverywhere {
  /**
   * Creates an account and logs it in. `conflict` names in `fields` the values that another account has.
   *
   * Each call takes effect again. Limit: 300 calls in 3,600 s. REST: `POST /v1/auth/register`.
   */
  "auth:register": OpenCommand<Register, Credentials, "conflict">;
  /**
   * Starts a login session, and takes the deletion of the account back. An unknown name and a wrong password
   * get the same error; `forbidden` while the account is suspended.
   *
   * Each call takes effect again. Limit: 300 calls in 300 s. REST: `POST /v1/auth/login`,
   * `POST /v1/auth/jwt/login`.
   */
  "auth:login": OpenCommand<Login, Credentials, "unauthenticated" | "forbidden">;
  /**
   * Exchanges a refresh token for new tokens. A repeat within some seconds gets the same new refresh token,
   * while that one is unused; any other second use is treated as theft and ends the login session. `forbidden`
   * while the account is suspended.
   *
   * Each call takes effect again. Limit: 600 calls in 60 s. REST: `POST /v1/auth/refresh`.
   */
  "auth:refresh": OpenCommand<Refresh, Credentials, "unauthenticated" | "forbidden">;
  /**
   * Ends the login session of a refresh token, or all login sessions of its user.
   *
   * A repeat changes nothing more. Limit: 600 calls in 60 s. REST: `POST /v1/auth/logout`.
   */
  "auth:logout": OpenCommand<Logout, Nothing, "unauthenticated">;
  /**
   * Lists the login sessions of the caller, the latest login first.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/auth/sessions`.
   */
  "auth:sessions": Command<ListSessions, Page<LoginSession>>;
  /**
   * Ends one login session of the caller: every node refuses its tokens and closes its sockets.
   *
   * A repeat changes nothing more. Limit: 60 calls in 60 s. REST: `DELETE /v1/auth/sessions/{session_id}`.
   */
  "auth:revoke": Command<RevokeSession, Nothing, "not_found">;
  /**
   * Changes the caller's password and ends their other login sessions. `forbidden` if `old` is wrong.
   *
   * Each call takes effect again. Limit: 60 calls in 300 s. REST: `PUT /v1/auth/password`.
   */
  "auth:password": Command<ChangePassword, Nothing, "forbidden">;
}

/** Pushes in `/auth`. */
export interface AuthPushes extends PushesEverywhere {}

/** Commands of `/chat`. */
export interface ChatCommands extends CommandsEverywhere {
  /**
   * Opens the conversation between the caller and this user: created once, the same ever after. The other user
   * learns of it with the first message.
   *
   * A repeat changes nothing more. Limit: 60 calls in 60 s. REST: `POST /v1/conversations`.
   */
  "conversation:open": Command<OpenConversation, ConversationAck, "not_found" | "forbidden">;
  /**
   * Lists the caller's conversations, the last active first. A conversation that becomes active meanwhile moves
   * to the top, above the pages still to be read.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/conversations`.
   */
  "conversation:list": Command<ListConversations, Page<Conversation>>;
  /**
   * Reads one conversation of the caller, with the positions of its members.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/conversations/{conversation_id}`.
   */
  "conversation:get": Command<GetConversation, ConversationAck, "not_found">;
  /**
   * Adds a message to the conversation, under the next number. `forbidden` where one of the two blocks the
   * other; earlier messages stay readable.
   *
   * A repeat with the same `client_id` is answered with what was created. Limit: 120 calls in 60 s. REST:
   * `POST /v1/conversations/{conversation_id}/messages`.
   */
  "message:send": Command<SendMessage, MessageAck, "not_found" | "forbidden" | "conflict">;
  /**
   * Lists messages, newest first, or with `after_seq` oldest first; `next_cursor` is the `before_seq` or
   * `after_seq` of the next page.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/conversations/{conversation_id}/messages`.
   */
  "message:list": Command<ListMessages, Page<Message>, "not_found">;
  /**
   * Sends a message to a user; opens the conversation if there is none yet. For clients without conversations.
   *
   * A repeat with the same `client_id` is answered with what was created. Limit: 60 calls in 60 s. REST:
   * `POST /v1/messages`.
   */
  "message:write": Command<WriteMessage, DirectMessage, "not_found" | "forbidden" | "conflict">;
  /**
   * Lists the messages that the caller sent and received, over all direct conversations, newest first.
   *
   * It changes nothing. Limit: 120 calls in 60 s. REST: `GET /v1/users/{caller_id}/messages`.
   */
  "message:direct": Command<ListDirectMessages, Page<DirectMessage>>;
  /**
   * Marks all messages up to this one as read by the caller; the position never moves back.
   *
   * A repeat changes nothing more. Limit: 600 calls in 60 s. REST:
   * `PUT /v1/conversations/{conversation_id}/read`.
   */
  "message:read": Command<MovePosition, PositionAck, "not_found">;
  /**
   * Marks all messages up to this one as delivered to the caller; the position never moves back.
   *
   * A repeat changes nothing more. Limit: 600 calls in 60 s. REST:
   * `PUT /v1/conversations/{conversation_id}/delivered`.
   */
  "message:delivered": Command<MovePosition, PositionAck, "not_found">;
  /**
   * Reads what the caller missed in single conversations: the messages that changed above each position, at
   * most 100 a conversation, and the last active conversations that the call did not name, without messages.
   * Conversations of others are left out.
   *
   * It changes nothing. Limit: 120 calls in 60 s. REST: `POST /v1/chat/sync`.
   */
  "chat:sync": Command<Sync, SyncAck>;
  /**
   * This socket gets `presence:changed` of these users from now on, beside those that it watches already, 1,000
   * at most; answers which of them are online. By REST it only answers.
   *
   * It changes nothing. Limit: 120 calls in 60 s. REST: `POST /v1/presence`.
   */
  "presence:watch": Command<WatchPresence, PresenceAck>;
  /**
   * Ends the watch of these users on this socket; without `user_ids`, of all.
   *
   * It changes nothing. Limit: 120 calls in 60 s.
   */
  "presence:unwatch": Command<UnwatchPresence, Nothing>;
}

/** Pushes in `/chat`. */
export interface ChatPushes extends PushesEverywhere {
  /** All devices of the members of the conversation, the sender's too. */
  "message:created": Push<MessageAck>;
  /**
   * All devices of the members of the conversation, within 10 s after a message and at a retry of one, in case
   * a device missed it.
   */
  "conversation:position": Push<ConversationPosition>;
  /** All devices of the members, except where a block is in between, when a position moved. */
  "receipt:updated": Push<Receipt>;
  /**
   * All devices of a user who opens a conversation; those of the other one with its first message, before
   * `message:created`.
   */
  "conversation:updated": Push<ConversationAck>;
  /**
   * Sockets that watch the user, where no block is in between: at most once a second, and nothing when the user
   * is back within 30 seconds.
   */
  "presence:changed": Push<PresenceChanged>;
}

/** Commands of `/feed`. */
export interface FeedCommands extends CommandsEverywhere {
  /**
   * Subscribes this socket to the pushes of the home feed, and answers its newest page.
   *
   * It changes nothing. Limit: 120 calls in 60 s.
   */
  "feed:subscribe": Command<SubscribeFeed, FeedSnapshot, "forbidden">;
  /**
   * Unsubscribes this socket from the pushes of the home feed.
   *
   * It changes nothing. Limit: 120 calls in 60 s.
   */
  "feed:unsubscribe": Command<Empty, Nothing, "forbidden">;
  /**
   * Reads a page of the home feed, newest first: posts of the users whom the caller follows and does not mute.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/feed`.
   */
  "feed:page": Command<ReadFeed, Page<Post>>;
  /**
   * Reads what happened to the posts of the home feed since a position, deletions too.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/feed/sync`.
   */
  "feed:sync": Command<SyncFeed, ChangedPosts>;
}

/** Pushes in `/feed`. */
export interface FeedPushes extends PushesEverywhere {
  /** Watchers of the post, and in `/feed` subscribed feeds that show it: the post as it is after an edit. */
  "post:updated": Push<PostAck>;
  /** Watchers of the post, and in `/feed` subscribed feeds that show it. */
  "post:deleted": Push<PostRemoved>;
  /** Sockets subscribed to the feed, of users who follow the author, do not mute them and may see the post. */
  "feed:new": Push<NewPost>;
  /**
   * Sockets subscribed to the feed, of a user who does not follow the author of these posts any more or mutes
   * them, or of the author's followers, where these posts are private now or the author is hidden.
   */
  "feed:removed": Push<RemovedPosts>;
}

/** Commands of `/posts`. */
export interface PostsCommands extends CommandsEverywhere {
  /**
   * Publishes a text or a link; it appears in the feeds of the caller's followers.
   *
   * A repeat with the same `client_id` is answered with what was created. Limit: 30 calls in 60 s. REST:
   * `POST /v1/posts`.
   */
  "post:create": Command<CreatePost, PostAck, "conflict" | "not_found">;
  /**
   * Reads one post.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/posts/{post_id}`.
   */
  "post:get": Command<NamedPost, PostAck, "not_found">;
  /**
   * Changes the caller's own post: its text, who sees it, who may comment, whether readers are warned.
   *
   * A repeat changes nothing more. Limit: 30 calls in 60 s. REST: `PATCH /v1/posts/{post_id}`,
   * `PUT /v1/posts/{post_id}`.
   */
  "post:update": Command<UpdatePost, PostAck, "not_found" | "forbidden">;
  /**
   * Hides the caller's own post from everybody else, or shows it again; not one that a moderator has hidden.
   *
   * A repeat changes nothing more. Limit: 30 calls in 60 s. REST: `PUT /v1/posts/{post_id}/hidden`.
   */
  "post:hide": Command<HidePost, PostAck, "not_found" | "forbidden">;
  /**
   * Lists the earlier texts of a post that others could see, the latest first; not the present one.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/posts/{post_id}/history`.
   */
  "post:history": Command<ListVersions, Page<PostVersion>, "not_found">;
  /**
   * Deletes the caller's own post, with its comments and likes.
   *
   * A repeat changes nothing more. Limit: 30 calls in 60 s. REST: `DELETE /v1/posts/{post_id}`.
   */
  "post:delete": Command<NamedPost, Nothing, "not_found" | "forbidden">;
  /**
   * Lists the posts of a user that the caller may see, the latest first.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/users/{user_id}/posts`.
   */
  "post:list": Command<ListPosts, Page<Post>, "not_found">;
  /**
   * Likes a post; a user likes a post once, however often the call is made.
   *
   * A repeat changes nothing more. Limit: 120 calls in 60 s. REST: `POST /v1/posts/{post_id}/likes`,
   * `POST /v1/posts/{post_id}/like`.
   */
  "post:like": Command<NamedPost, LikeAck, "not_found">;
  /**
   * Removes the caller's like, whatever became of the post; the answer is the same where there was none.
   *
   * A repeat changes nothing more. Limit: 120 calls in 60 s. REST: `DELETE /v1/posts/{post_id}/likes`,
   * `DELETE /v1/posts/{post_id}/like`, `DELETE /v1/posts/{post_id}/likes/{caller_id}`.
   */
  "post:unlike": Command<NamedPost, UnlikeAck>;
  /**
   * Lists the users who like a post, the latest first; without a block between them and the caller.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/posts/{post_id}/likes`.
   */
  "post:likers": Command<ListLikers, Page<User>, "not_found">;
  /**
   * Tells this socket what happens to a post and its comments from now on, and reads the post. It ends when the
   * caller may not see the post any more; after a `resync` of the post, read it and watch it again.
   *
   * It changes nothing. Limit: 120 calls in 60 s.
   */
  "post:watch": Command<NamedPost, PostAck, "not_found" | "forbidden">;
  /**
   * Ends `post:watch` of a post.
   *
   * It changes nothing. Limit: 120 calls in 60 s.
   */
  "post:unwatch": Command<NamedPost, Nothing, "forbidden">;
  /**
   * Votes in a poll, in place of an earlier vote of the caller; no choices take it back. `conflict` once the
   * poll is closed.
   *
   * A repeat changes nothing more. Limit: 120 calls in 60 s. REST: `PUT /v1/posts/{post_id}/vote`.
   */
  "poll:vote": Command<Vote, VoteAck, "not_found" | "conflict">;
  /**
   * Publishes a post of kind `share` that shows a public post; it appears in the feeds of the caller's
   * followers. A share of a share shows the original. A second share without a text answers the first one.
   *
   * A repeat with the same `client_id` is answered with what was created. Limit: 30 calls in 60 s. REST:
   * `POST /v1/posts/{post_id}/shares`.
   */
  "post:share": Command<SharePost, PostAck, "conflict" | "forbidden" | "not_found">;
  /**
   * Deletes the caller's share without a text of a post, or of the post that this one shares, whatever became
   * of it; the answer is the same where there was none. Quotes are deleted by `post:delete`.
   *
   * A repeat changes nothing more. Limit: 120 calls in 60 s. REST: `DELETE /v1/posts/{post_id}/shares`.
   */
  "post:unshare": Command<NamedPost, UnshareAck>;
  /**
   * Bookmarks a post, as the newest bookmark; one that there is stays where it is. Nobody else learns of it.
   *
   * A repeat changes nothing more. Limit: 120 calls in 60 s. REST: `POST /v1/posts/{post_id}/bookmark`.
   */
  "bookmark:add": Command<NamedPost, BookmarkAdded, "not_found">;
  /**
   * Removes a bookmark, whatever became of the post; the answer is the same where there was none.
   *
   * A repeat changes nothing more. Limit: 120 calls in 60 s. REST: `DELETE /v1/posts/{post_id}/bookmark`.
   */
  "bookmark:remove": Command<NamedPost, BookmarkRemoved>;
  /**
   * Lists the caller's bookmarks, the newest first; without posts that the caller may not see now.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/bookmarks`.
   */
  "bookmark:list": Command<ListBookmarks, Page<Bookmark>>;
  /**
   * Comments on a post that takes comments from the caller (`viewer.may_comment`), or replies to one on it.
   *
   * A repeat with the same `client_id` is answered with what was created. Limit: 60 calls in 60 s. REST:
   * `POST /v1/posts/{post_id}/comments`.
   */
  "comment:create": Command<CreateComment, CommentAck, "not_found" | "forbidden" | "conflict">;
  /**
   * Lists the comments on a post or the replies to one, the latest first; without those of blocked users.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/posts/{post_id}/comments`.
   */
  "comment:list": Command<ListComments, Page<Comment>, "not_found">;
  /**
   * Changes the text of the caller's own comment.
   *
   * A repeat changes nothing more. Limit: 60 calls in 60 s. REST: `PATCH /v1/comments/{comment_id}`,
   * `PUT /v1/comments/{comment_id}`.
   */
  "comment:update": Command<UpdateComment, CommentAck, "not_found" | "forbidden">;
  /**
   * Likes a comment; a user likes a comment once, however often the call is made.
   *
   * A repeat changes nothing more. Limit: 120 calls in 60 s. REST: `POST /v1/comments/{comment_id}/likes`,
   * `POST /v1/comments/{comment_id}/like`.
   */
  "comment:like": Command<NamedComment, LikeCommentAck, "not_found">;
  /**
   * Removes the caller's like, whatever became of the comment; the answer is the same where there was none.
   *
   * A repeat changes nothing more. Limit: 120 calls in 60 s. REST: `DELETE /v1/comments/{comment_id}/likes`,
   * `DELETE /v1/comments/{comment_id}/like`.
   */
  "comment:unlike": Command<NamedComment, UnlikeCommentAck>;
  /**
   * Deletes the caller's own comment, or one on the caller's own post.
   *
   * A repeat changes nothing more. Limit: 60 calls in 60 s. REST: `DELETE /v1/comments/{comment_id}`.
   */
  "comment:delete": Command<NamedComment, Nothing, "not_found" | "forbidden">;
}

/** Pushes in `/posts`. */
export interface PostsPushes extends PushesEverywhere {
  /** Watchers of the post, and in `/feed` subscribed feeds that show it: the post as it is after an edit. */
  "post:updated": Push<PostAck>;
  /** Watchers of the post, and in `/feed` subscribed feeds that show it. */
  "post:deleted": Push<PostRemoved>;
  /** Watchers of the post: how many have voted. It does not tell what they chose. */
  "poll:counters": Push<PollCounts>;
  /** Watchers of the post who may see the comment and those that it replies to. */
  "comment:created": Push<CommentAck>;
  /** Watchers of the post who may see the comment and those that it replies to: as it is after an edit. */
  "comment:updated": Push<CommentAck>;
  /**
   * Watchers of the post who could see the comment. One with replies keeps its place, without text and author;
   * a deleted one goes when it has no replies any more.
   */
  "comment:deleted": Push<CommentRemoved>;
}

/** Commands of `/users`. */
export interface UsersCommands extends CommandsEverywhere {
  /**
   * Reads the caller's profile and settings, the server's time and the limits of values.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/users/me`.
   */
  "user:me": Command<Empty, UserMe>;
  /**
   * Reads one user, by id or by username.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/users/{user_id}`,
   * `GET /v1/users/by-name/{username}`.
   */
  "user:get": Command<GetUser, UserDetail, "not_found">;
  /**
   * Changes the caller's name, bio, profile or settings.
   *
   * A repeat changes nothing more. Limit: 30 calls in 60 s. REST: `PATCH /v1/users/me`, `PUT /v1/users/me`,
   * `PUT /v1/users/{caller_id}`.
   */
  "user:update": Command<UpdateUser, UserDetail>;
  /**
   * Follows a user: their posts appear in the caller's feed. `conflict` for oneself and for a blocked user.
   *
   * A repeat changes nothing more. Limit: 60 calls in 60 s. REST: `POST /v1/users/{user_id}/follow`,
   * `POST /v1/users/{caller_id}/follows`, `POST /v1/follow`.
   */
  "user:follow": Command<NamedUser, Following, "not_found" | "conflict">;
  /**
   * Stops following a user; the answer is the same for a hidden user, and for an id of nobody.
   *
   * A repeat changes nothing more. Limit: 60 calls in 60 s. REST: `DELETE /v1/users/{user_id}/follow`,
   * `DELETE /v1/users/{caller_id}/follows/{user_id}`.
   */
  "user:unfollow": Command<NamedUser, Following>;
  /**
   * Blocks a user, whoever blocked first: the follows between the two end, the blocked user cannot see the
   * caller, and neither sees the other's posts and comments. In the conversation that they have, earlier
   * messages stay, neither sees the other's positions, and of the caller's name the blocked user sees the
   * username. `conflict` for oneself.
   *
   * A repeat changes nothing more. Limit: 60 calls in 60 s. REST: `POST /v1/users/{user_id}/block`.
   */
  "user:block": Command<NamedUser, Blocking, "not_found" | "conflict">;
  /**
   * Removes the caller's block, whoever blocked first; the follows that it ended stay ended. The answer is the
   * same for a hidden user, and for an id of nobody.
   *
   * A repeat changes nothing more. Limit: 60 calls in 60 s. REST: `DELETE /v1/users/{user_id}/block`.
   */
  "user:unblock": Command<NamedUser, Blocking>;
  /**
   * Lists the followers of a user, the latest first; without a block between them and the caller.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/users/{user_id}/followers`.
   */
  "user:followers": Command<ListFollows, Page<User>, "not_found">;
  /**
   * Lists the users whom a user follows, the latest first; without a block between them and the caller.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/users/{user_id}/following`.
   */
  "user:following": Command<ListFollows, Page<User>, "not_found">;
  /**
   * Deletes the caller's account: at once they are logged out everywhere, and nobody sees them or what they
   * published. Logging in within 14 days takes that back; then all is erased but the caller's messages, and
   * comments that others replied to, without their text. `forbidden` if `password` is wrong.
   *
   * Each call takes effect again. Limit: 60 calls in 300 s. REST: `DELETE /v1/users/me`,
   * `DELETE /v1/users/{caller_id}`.
   */
  "user:delete": Command<DeleteUser, Nothing, "forbidden">;
  /**
   * Mutes a user, followed or not: their posts are not in the caller's feed, and everything else is as before.
   * The muted user does not learn of it. `conflict` for oneself.
   *
   * A repeat changes nothing more. Limit: 60 calls in 60 s. REST: `POST /v1/users/{user_id}/mute`.
   */
  "user:mute": Command<MuteUser, Muting, "not_found" | "conflict">;
  /**
   * Ends the caller's mute: the user's posts are in the caller's feed again where the caller follows them. The
   * answer is the same for a hidden user, and for an id of nobody.
   *
   * A repeat changes nothing more. Limit: 60 calls in 60 s. REST: `DELETE /v1/users/{user_id}/mute`.
   */
  "user:unmute": Command<NamedUser, Muting>;
  /**
   * Lists the caller's words that hide.
   *
   * It changes nothing. Limit: 600 calls in 60 s. REST: `GET /v1/users/me/filters`.
   */
  "filter:list": Command<Empty, WordFilters>;
  /**
   * Hides posts of others from the caller's feed, and comments of others with the replies below them, where
   * they have these words; at read and live. Whole words count, single characters in scripts without spaces.
   * The feed is to be read anew. `conflict` beyond 100 filters.
   *
   * A repeat changes nothing more. Limit: 60 calls in 60 s. REST: `PUT /v1/users/me/filters`.
   */
  "filter:set": Command<SetFilter, WordFilters, "conflict">;
  /**
   * Removes words that hide; the answer is the same where there were none. The feed is to be read anew.
   *
   * A repeat changes nothing more. Limit: 60 calls in 60 s. REST: `DELETE /v1/users/me/filters`.
   */
  "filter:remove": Command<RemoveFilter, WordFilters>;
}

/** Pushes in `/users`. */
export interface UsersPushes extends PushesEverywhere {}

/** Every namespace, by the name to connect to. */
export interface Namespaces {
  "/auth": { commands: AuthCommands; pushes: AuthPushes };
  "/chat": { commands: ChatCommands; pushes: ChatPushes };
  "/feed": { commands: FeedCommands; pushes: FeedPushes };
  "/posts": { commands: PostsCommands; pushes: PostsPushes };
  "/users": { commands: UsersCommands; pushes: UsersPushes };
}

/** The items of each Collection of `sync:pull`: what a client may keep, by the ids of the items. */
export interface Collections {
  /**
   * The user's own profile and settings: one item. Its counters are as of the last read.
   *
   * Read anew by `user:me`.
   */
  me: OwnProfile;
  /**
   * Whom the user follows, blocks, mutes or asks to follow, by id; somebody who is none of these is removed.
   *
   * Read anew by `sync:pull` of this Collection without a cursor.
   */
  relations: Relation;
  /**
   * The newest bookmarks of the user, by the ids of the posts, down to the oldest one that the client has read;
   * of a bookmark that is older than that it takes no notice. A post that is deleted, or not the user's to see
   * any more, is removed. It is reset when the user follows, unfollows, blocks or unblocks somebody or is
   * blocked. Likes and other counts are as of the last read.
   *
   * Read anew by `sync:pull` of this Collection without a cursor; older ones by `bookmark:list`.
   */
  bookmarks: Bookmark;
  /**
   * The newest posts of the users whom the user follows, down to the oldest one that the client has read; of a
   * post that is older than that it takes no notice. It is reset when the user follows, unfollows, blocks,
   * unblocks, mutes or unmutes somebody, a mute ends, or they are blocked. Likes and other counts are as of the
   * last read.
   *
   * Read anew by `sync:pull` of this Collection without a cursor; older posts by `feed:page`.
   */
  feed: Post;
  /**
   * The caller's conversations, each with `viewer`; the last active ones at first. The positions of others in
   * them, and the cards of members, are as of the last read.
   *
   * Read anew by `conversation:list`.
   */
  conversations: Conversation;
  /**
   * The messages of the caller's conversations, without deleted ones; the newest of the last active
   * conversations at first. `reset_ids` are ids of conversations. The cards of senders are as of the last read.
   *
   * Read anew by `message:list` of each conversation that is shown.
   */
  messages: Message;
}

/** New or changed items of a Collection, each as it is now, and the ids of those that are gone. */
export type CollectionChanged = {
  [Name in "me" | "relations" | "bookmarks"]: { name: Name; upserts: Collections[Name][]; removed: string[] };
}["me" | "relations" | "bookmarks"];

/** The REST routes. */
export interface RestRoutes {
  "POST /auth/jwt/login": RestRoute<never, Login, Credentials>;
  "POST /auth/login": RestRoute<never, Login, Credentials>;
  "POST /auth/logout": RestRoute<never, Logout, Nothing>;
  "PUT /auth/password": RestRoute<never, ChangePassword, Nothing>;
  "POST /auth/refresh": RestRoute<never, Refresh, Credentials>;
  "POST /auth/register": RestRoute<never, Register, Credentials>;
  "GET /auth/sessions": RestRoute<never, ListSessions, Page<LoginSession>>;
  "DELETE /auth/sessions/{session_id}": RestRoute<"session_id", RevokeSession, Nothing>;
  "GET /bookmarks": RestRoute<never, ListBookmarks, Page<Bookmark>>;
  "POST /chat/sync": RestRoute<never, Sync, SyncAck>;
  "DELETE /comments/{comment_id}": RestRoute<"comment_id", NamedComment, Nothing>;
  "PATCH /comments/{comment_id}": RestRoute<"comment_id", UpdateComment, CommentAck>;
  "PUT /comments/{comment_id}": RestRoute<"comment_id", UpdateComment, CommentAck>;
  "DELETE /comments/{comment_id}/like": RestRoute<"comment_id", NamedComment, UnlikeCommentAck>;
  "POST /comments/{comment_id}/like": RestRoute<"comment_id", NamedComment, LikeCommentAck>;
  "DELETE /comments/{comment_id}/likes": RestRoute<"comment_id", NamedComment, UnlikeCommentAck>;
  "POST /comments/{comment_id}/likes": RestRoute<"comment_id", NamedComment, LikeCommentAck>;
  "GET /conversations": RestRoute<never, ListConversations, Page<Conversation>>;
  "POST /conversations": RestRoute<never, OpenConversation, ConversationAck>;
  "GET /conversations/{conversation_id}": RestRoute<"conversation_id", GetConversation, ConversationAck>;
  "PUT /conversations/{conversation_id}/delivered": RestRoute<"conversation_id", MovePosition, PositionAck>;
  "GET /conversations/{conversation_id}/messages": RestRoute<"conversation_id", ListMessages, Page<Message>>;
  "POST /conversations/{conversation_id}/messages": RestRoute<"conversation_id", SendMessage, MessageAck>;
  "PUT /conversations/{conversation_id}/read": RestRoute<"conversation_id", MovePosition, PositionAck>;
  "GET /feed": RestRoute<never, ReadFeed, Page<Post>>;
  "GET /feed/sync": RestRoute<never, SyncFeed, ChangedPosts>;
  "POST /follow": RestRoute<never, NamedUser, Following>;
  "POST /messages": RestRoute<never, WriteMessage, DirectMessage>;
  "POST /posts": RestRoute<never, CreatePost, PostAck>;
  "DELETE /posts/{post_id}": RestRoute<"post_id", NamedPost, Nothing>;
  "GET /posts/{post_id}": RestRoute<"post_id", NamedPost, PostAck>;
  "PATCH /posts/{post_id}": RestRoute<"post_id", UpdatePost, PostAck>;
  "PUT /posts/{post_id}": RestRoute<"post_id", UpdatePost, PostAck>;
  "DELETE /posts/{post_id}/bookmark": RestRoute<"post_id", NamedPost, BookmarkRemoved>;
  "POST /posts/{post_id}/bookmark": RestRoute<"post_id", NamedPost, BookmarkAdded>;
  "GET /posts/{post_id}/comments": RestRoute<"post_id", ListComments, Page<Comment>>;
  "POST /posts/{post_id}/comments": RestRoute<"post_id", CreateComment, CommentAck>;
  "PUT /posts/{post_id}/hidden": RestRoute<"post_id", HidePost, PostAck>;
  "GET /posts/{post_id}/history": RestRoute<"post_id", ListVersions, Page<PostVersion>>;
  "DELETE /posts/{post_id}/like": RestRoute<"post_id", NamedPost, UnlikeAck>;
  "POST /posts/{post_id}/like": RestRoute<"post_id", NamedPost, LikeAck>;
  "DELETE /posts/{post_id}/likes": RestRoute<"post_id", NamedPost, UnlikeAck>;
  "GET /posts/{post_id}/likes": RestRoute<"post_id", ListLikers, Page<User>>;
  "POST /posts/{post_id}/likes": RestRoute<"post_id", NamedPost, LikeAck>;
  "DELETE /posts/{post_id}/likes/{caller_id}": RestRoute<"post_id" | "caller_id", NamedPost, UnlikeAck>;
  "DELETE /posts/{post_id}/shares": RestRoute<"post_id", NamedPost, UnshareAck>;
  "POST /posts/{post_id}/shares": RestRoute<"post_id", SharePost, PostAck>;
  "PUT /posts/{post_id}/vote": RestRoute<"post_id", Vote, VoteAck>;
  "POST /presence": RestRoute<never, WatchPresence, PresenceAck>;
  "POST /sync": RestRoute<never, Pull, PullAck>;
  "GET /users/by-name/{username}": RestRoute<"username", GetUser, UserDetail>;
  "DELETE /users/me": RestRoute<never, DeleteUser, Nothing>;
  "GET /users/me": RestRoute<never, Empty, UserMe>;
  "PATCH /users/me": RestRoute<never, UpdateUser, UserDetail>;
  "PUT /users/me": RestRoute<never, UpdateUser, UserDetail>;
  "DELETE /users/me/filters": RestRoute<never, RemoveFilter, WordFilters>;
  "GET /users/me/filters": RestRoute<never, Empty, WordFilters>;
  "PUT /users/me/filters": RestRoute<never, SetFilter, WordFilters>;
  "DELETE /users/{caller_id}": RestRoute<"caller_id", DeleteUser, Nothing>;
  "PUT /users/{caller_id}": RestRoute<"caller_id", UpdateUser, UserDetail>;
  "POST /users/{caller_id}/follows": RestRoute<"caller_id", NamedUser, Following>;
  "DELETE /users/{caller_id}/follows/{user_id}": RestRoute<"caller_id" | "user_id", NamedUser, Following>;
  "GET /users/{caller_id}/messages": RestRoute<"caller_id", ListDirectMessages, Page<DirectMessage>>;
  "GET /users/{user_id}": RestRoute<"user_id", GetUser, UserDetail>;
  "DELETE /users/{user_id}/block": RestRoute<"user_id", NamedUser, Blocking>;
  "POST /users/{user_id}/block": RestRoute<"user_id", NamedUser, Blocking>;
  "DELETE /users/{user_id}/follow": RestRoute<"user_id", NamedUser, Following>;
  "POST /users/{user_id}/follow": RestRoute<"user_id", NamedUser, Following>;
  "GET /users/{user_id}/followers": RestRoute<"user_id", ListFollows, Page<User>>;
  "GET /users/{user_id}/following": RestRoute<"user_id", ListFollows, Page<User>>;
  "DELETE /users/{user_id}/mute": RestRoute<"user_id", NamedUser, Muting>;
  "POST /users/{user_id}/mute": RestRoute<"user_id", MuteUser, Muting>;
  "GET /users/{user_id}/posts": RestRoute<"user_id", ListPosts, Page<Post>>;
}

export interface Blocking {
  blocked: boolean;
}

/** A bookmarked post. `id` is that of the bookmark: of two bookmarks the newer one has the larger id. */
export interface Bookmark {
  id: Id;
  post: Post;
}

export interface BookmarkAdded {
  post_id: Id;
  bookmarked: true;
}

export interface BookmarkRemoved {
  post_id: Id;
  bookmarked: false;
}

/**
 * A user inside of another object (author, sender, member): the same for every reader.
 *
 * `display_name` and `version` are absent for a reader whom this user blocks. Of two cards the one with the
 * larger version is newer. Of a `deleted` user, who has deleted their account or is suspended, there is no
 * more than `id` and `username`; the username is another one once the account is erased.
 */
export interface Card {
  id: Id;
  username: string;
  display_name?: string;
  version?: number;
  deleted?: true;
}

export interface ChangePassword {
  /** 1 to 256 characters. */
  old: string;
  /** 8 to 256 characters. Not one of the 10,000 most used ones. */
  new: string;
}

/**
 * What happened to the feed since a position.
 *
 * `items` are new or changed, newest first, each as it is now; `removed` are deleted, or not the caller's to
 * see any more. `reset`: read the feed anew. Some may come twice, so apply by id and version.
 */
export interface ChangedPosts {
  items: Post[];
  removed: Id[];
  position: string;
  reset?: boolean;
}

/**
 * `upserts` are as they are now; `removed`: deleted, or not the caller's to see any more.
 *
 * `reset`: read this Collection anew. `reset_ids`: only these parts of it.
 */
export interface CollectionChanges<Item> {
  upserts: Item[];
  removed: string[];
  reset?: boolean;
  reset_ids?: string[];
}

/**
 * A comment; `parent_id` is the comment that it replies to, absent for a comment on the post itself.
 *
 * A deleted comment with replies stays in its place, with `deleted`, an empty text and no author. A block
 * that hid it and the replies below it hides them still. `viewer` is in answers only, never in a push.
 *
 * `version` grows with each edit and with the deletion: of two copies the one with the larger version is
 * newer, but for the counts. `edited_at_ms` is absent until the first edit.
 */
export interface Comment {
  id: Id;
  version: number;
  post_id: Id;
  parent_id?: Id;
  author?: Card;
  text: string;
  like_count: number;
  reply_count: number;
  created_at_ms: number;
  edited_at_ms?: number;
  deleted?: true;
  viewer?: CommentViewer;
}

export interface CommentAck {
  comment: Comment;
}

export interface CommentRemoved {
  comment_id: Id;
  post_id: Id;
}

/** What the reader has done with this comment. */
export interface CommentViewer {
  liked: boolean;
}

/**
 * `last_seq` is 0 and `last_message` absent while there is no message. `viewer` is absent in pushes.
 *
 * `rev` counts the durable changes of the conversation: who has all up to one misses only what comes above
 * it.
 */
export interface Conversation {
  id: Id;
  kind: "direct" | "group";
  title?: string;
  members: Member[];
  last_seq: number;
  rev: number;
  last_message?: Message;
  viewer?: ConversationViewer;
}

export interface ConversationAck {
  conversation: Conversation;
}

/**
 * Neither number ever moves back: of two the larger is right. A client with a lower `rev` calls `chat:sync`.
 */
export interface ConversationPosition {
  conversation_id: Id;
  rev: number;
  last_seq: number;
}

/** The caller's own view: `unread_count` = `last_seq` - `read_seq`, exact. */
export interface ConversationViewer {
  unread_count: number;
  read_seq: number;
  muted: boolean;
}

export interface CreateComment {
  post_id: Id;
  parent_id?: Id | null;
  /** 1 to 2,000 characters. */
  text: string;
  /**
   * 1 to 64 characters. Chosen by the client: a retry with the same one is answered with what was created, as
   * it is now.
   */
  client_id?: string | null;
}

/**
 * A post with a link is of kind `link`, one with a poll of kind `poll`, else of kind `text`; only one of kind
 * `link` may have no text.
 */
export type CreatePost = {
  /** 1 to 5,000 characters. With at most 30 different hashtags and 30 mentions. */
  text?: string | null;
  kind?: "text" | "link" | "poll" | null;
  /** 1 to 2,048 characters. An http or https address. */
  link?: string | null;
  poll?: NewPoll | null;
  /** "public" where it is absent. */
  visibility?: "public" | "followers" | "private";
  /** "everyone" where it is absent. */
  replies?: "everyone" | "followers" | "mentioned" | "nobody";
  /** false where it is absent. */
  sensitive?: boolean;
  /**
   * 1 to 64 characters. Chosen by the client: a retry with the same one is answered with what was created, as
   * it is now.
   */
  client_id?: string | null;
} & (
  | { text: string; link?: null; poll?: null; kind?: "text" | null }
  | { link: string; poll?: null; kind?: "link" | null }
  | { text: string; poll: Record<string, unknown>; link?: null; kind?: "poll" | null }
);

/** `expires_in_s` is the time until the access token expires. */
export interface Credentials {
  user: User;
  access_token: string;
  token_type: "Bearer";
  refresh_token: string;
  expires_in_s: number;
}

export interface DeleteUser {
  /** 1 to 256 characters. */
  password: string;
}

/**
 * A message of a direct conversation, and whether it was delivered to and read by the receiver.
 *
 * `sent` is all that a sender learns where one of the two blocks the other.
 */
export interface DirectMessage {
  message: Message;
  receiver_id: Id;
  status: "sent" | "delivered" | "read";
}

/** A payload without fields. */
export type Empty = Record<string, never>;

/** The newest page. What it may lack comes by `feed:new`, or by `feed:sync` with its `position`. */
export interface FeedSnapshot {
  items: Post[];
  next_cursor?: string;
  position: string;
}

/** `requested` is false until accounts can be private. */
export interface Following {
  following: boolean;
  requested: boolean;
}

export interface GetConversation {
  conversation_id: Id;
}

/** Exactly one of the two; a username without regard to case. */
export type GetUser = {
  user_id?: Id | null;
  /** 1 to 30 characters. */
  username?: string | null;
} & (
  | { user_id: string; username?: null }
  | { username: string; user_id?: null }
);

export interface HidePost {
  post_id: Id;
  hidden: boolean;
}

export interface LikeAck {
  post_id: Id;
  liked: boolean;
  like_count: number;
}

export interface LikeCommentAck {
  comment_id: Id;
  liked: true;
  like_count: number;
}

/**
 * The longest texts in characters after normalisation to NFC, the largest pages in items.
 *
 * `payload_bytes` is taken by every command; one with longer texts takes more, however they are written.
 */
export interface Limits {
  display_name_chars: number;
  bio_chars: number;
  post_chars: number;
  post_tags: number;
  post_mentions: number;
  link_chars: number;
  comment_chars: number;
  message_chars: number;
  page_items: number;
  page_items_default: number;
  payload_bytes: number;
}

export interface ListBookmarks {
  before?: Id | null;
  /** 1 to 100. How many items at most; usually 20 where it is absent. */
  limit?: number | null;
}

/** With `parent_id` the replies to that comment, else the comments on the post itself. */
export interface ListComments {
  post_id: Id;
  parent_id?: Id | null;
  before?: Id | null;
  /** 1 to 100. How many items at most; usually 20 where it is absent. */
  limit?: number | null;
}

export interface ListConversations {
  before?: Id | null;
  /** 1 to 100. How many items at most; usually 20 where it is absent. */
  limit?: number | null;
}

export interface ListDirectMessages {
  before?: Id | null;
  /** 0 to 1,000. How many items to skip, for clients without cursors. */
  offset?: number | null;
  /** 1 to 100. How many items at most; usually 20 where it is absent. */
  limit?: number | null;
}

export interface ListFollows {
  user_id: Id;
  before?: Id | null;
  /** 1 to 100. How many items at most; usually 20 where it is absent. */
  limit?: number | null;
}

export interface ListLikers {
  post_id: Id;
  before?: Id | null;
  /** 1 to 100. How many items at most; usually 20 where it is absent. */
  limit?: number | null;
}

/**
 * With `after_seq`: the messages above it, oldest first. Else the newest first, below `before_seq` if given.
 */
export type ListMessages = {
  conversation_id: Id;
  /** 1 or more. */
  before_seq?: number | null;
  /** 0 or more. */
  after_seq?: number | null;
  /** 1 to 100. How many items at most; usually 20 where it is absent. */
  limit?: number | null;
} & (
  | { before_seq?: null }
  | { after_seq?: null }
);

export interface ListPosts {
  user_id: Id;
  before?: Id | null;
  /** 0 to 1,000. How many items to skip, for clients without cursors. */
  offset?: number | null;
  /** 1 to 100. How many items at most; usually 20 where it is absent. */
  limit?: number | null;
}

export interface ListSessions {
  before?: Id | null;
  /** 1 to 100. How many items at most; usually 20 where it is absent. */
  limit?: number | null;
}

/** `before`: a `version`. */
export interface ListVersions {
  post_id: Id;
  before?: Id | null;
  /** 1 to 100. How many items at most; usually 20 where it is absent. */
  limit?: number | null;
}

/** `login` is a username, an e-mail address or a phone number. */
export interface Login {
  /** 1 to 254 characters. */
  login: string;
  /** 1 to 256 characters. */
  password: string;
}

/** A device on which a user is logged in; `current` is the device of the caller. */
export interface LoginSession {
  id: Id;
  user_agent: string;
  address: string;
  created_at_ms: number;
  last_used_at_ms: number;
  current: boolean;
}

/** `everywhere` ends all login sessions of the user, not only the session of the token. */
export interface Logout {
  /** 1 to 200 characters. */
  refresh_token: string;
  /** false where it is absent. */
  everywhere?: boolean;
}

/**
 * A user in a conversation, with their positions: everything up to and including these `seq`s.
 *
 * Positions are absent where one of member and reader blocks the other.
 */
export interface Member {
  user: Card;
  role: "owner" | "admin" | "member";
  delivered_seq?: number;
  read_seq?: number;
}

/**
 * One message. `seq` numbers the messages of its conversation from 1 without a hole, the same for every
 * reader.
 *
 * `rev` is the conversation's at the last change of this message: of two copies the one with the larger is
 * newer. `id` rises with `seq`, and `created_at_ms` never falls, also when messages are sent at the same
 * time. By `client_id` the sender's devices recognise their own message. A deleted message keeps its number
 * and has no text.
 */
export interface Message {
  id: Id;
  conversation_id: Id;
  seq: number;
  rev: number;
  sender: Card;
  text: string;
  /** At most 0 items. */
  media: [];
  reply_to_seq?: number;
  created_at_ms: number;
  edited_at_ms?: number;
  deleted?: boolean;
  client_id?: string;
}

export interface MessageAck {
  message: Message;
}

export interface MovePosition {
  conversation_id: Id;
  /** 0 or more. */
  seq: number;
}

/** Without `until_ms` until it is taken back. A later call moves the end. */
export interface MuteUser {
  user_id: Id;
  /** 0 to 253,402,300,799,999. Milliseconds since 1970-01-01 UTC. */
  until_ms?: number | null;
}

/** `muted_until_ms` is absent where the mute has no end. */
export interface Muting {
  muted: boolean;
  muted_until_ms?: number;
}

export interface NamedComment {
  comment_id: Id;
}

export interface NamedPost {
  post_id: Id;
}

export interface NamedUser {
  user_id: Id;
}

/** A question to the readers of a post, whose text asks it; nothing of it can be changed afterwards. */
export interface NewPoll {
  /** 2 to 6 items. */
  options: string[];
  /** false where it is absent. */
  multiple?: boolean;
  /** 60 to 2,592,000. */
  closes_in_s: number;
}

/** A post of a user whom the receiver follows: a new one, or one that was private until now. */
export interface NewPost {
  post: Post;
}

/** An answer without fields: `{}`. */
export type Nothing = {};

export interface OpenConversation {
  user_id: Id;
}

/** The caller's own profile, with `email` or `phone`. */
export interface OwnProfile {
  user: User;
  email?: string;
  phone?: string;
  profile: Record<string, string | string[]>;
  settings: Record<string, boolean | number | string>;
}

/** A page of a list. `next_cursor` is absent on the last page. */
export interface Page<Item> {
  items: Item[];
  next_cursor?: string;
}

/**
 * A poll as its reader may see it: the results show to its author, to who has voted, and to all once it is
 * closed.
 *
 * `vote_count` is the number of people who have voted; with `multiple` one may choose several options.
 */
export interface Poll {
  options: PollOption[];
  multiple: boolean;
  closes_at_ms: number;
  vote_count: number;
  closed: boolean;
}

export interface PollCounts {
  post_id: Id;
  vote_count: number;
}

/** `vote_count` is absent while the results are hidden from the reader. */
export interface PollOption {
  text: string;
  vote_count?: number;
}

/** The caller's positions after the call. `unread_count` = `last_seq` - `read_seq`, exact. */
export interface PositionAck {
  conversation_id: Id;
  delivered_seq: number;
  read_seq: number;
  unread_count: number;
}

/**
 * A post. `viewer` is in answers only, never in a push.
 *
 * `version` grows with each edit: of two copies the one with the larger version is newer. `hidden_by` is
 * there while nobody but the author sees the post; `visibility` is what the author chose even so. A
 * `sensitive` post is shown after a warning. `tags`, `mentions` and `links` are those of the text, once each
 * in its order: a tag as it is written first, without its sign; people whom the author might see when it was
 * written; links as they are written, perhaps without `https://`. `shared` is the post that a share shows,
 * never a share itself; absent where it is gone, or not the reader's to see. `media` is empty until posts can
 * have them; `edited_at_ms` is absent until the first edit. The counts are the same for every reader, also
 * where a block hides some of the likes and comments.
 */
export interface Post {
  id: Id;
  version: number;
  author: Card;
  kind: "text" | "image" | "video" | "link" | "poll" | "share";
  text: string;
  /** At most 0 items. */
  media: [];
  link?: string;
  visibility: "public" | "followers" | "private";
  hidden_by?: "author" | "moderator";
  replies: "everyone" | "followers" | "mentioned" | "nobody";
  sensitive: boolean;
  tags: string[];
  mentions: Card[];
  links: string[];
  created_at_ms: number;
  edited_at_ms?: number;
  like_count: number;
  comment_count: number;
  share_count: number;
  shared?: Post;
  poll?: Poll;
  viewer?: PostViewer;
}

export interface PostAck {
  post: Post;
}

export interface PostRemoved {
  post_id: Id;
}

/** A text that a post had before an edit; `version` is the one of the post at its end. */
export interface PostVersion {
  version: number;
  text: string;
  written_at_ms: number;
}

/** What the reader has done with this post, and may do. `voted`: the chosen options of its poll, by place. */
export interface PostViewer {
  liked: boolean;
  bookmarked: boolean;
  may_comment: boolean;
  voted?: number[];
}

/**
 * For each user `true` while online, else when they were last active, in Unix milliseconds.
 *
 * Users who do not exist, and those with a block between them and the caller, are left out.
 */
export interface PresenceAck {
  online: Record<Id, number | true>;
}

export interface PresenceChanged {
  user_id: Id;
  online: boolean;
  last_active_ms: number;
}

/**
 * `collections`: only these; absent: those of the cursor, without one all. `limit` is of the lists of a page.
 */
export interface Pull {
  /** 1 to 4,096 characters. */
  cursor?: string | null;
  /** 1 to 100. How many items at most; usually 20 where it is absent. */
  limit?: number | null;
  /** 1 to 6 items. */
  collections?: ("me" | "relations" | "bookmarks" | "feed" | "conversations" | "messages")[] | null;
}

/** `changes` has the Collections with something new. While there is `more`, pull again with this cursor. */
export interface PullAck {
  changes: PulledChanges;
  cursor: string;
  more: boolean;
}

export interface PulledChanges {
  me?: CollectionChanges<OwnProfile>;
  relations?: CollectionChanges<Relation>;
  bookmarks?: CollectionChanges<Bookmark>;
  feed?: CollectionChanges<Post>;
  conversations?: CollectionChanges<Conversation>;
  messages?: CollectionChanges<Message>;
}

export interface ReadFeed {
  before?: Id | null;
  /** 0 to 1,000. How many items to skip, for clients without cursors. */
  offset?: number | null;
  /** 1 to 100. How many items at most; usually 20 where it is absent. */
  limit?: number | null;
}

/**
 * A member's positions. They never move back: of two receipts the larger numbers are right.
 *
 * There is no receipt for a member's own message: the sender of `seq` has read up to it.
 */
export interface Receipt {
  conversation_id: Id;
  user_id: Id;
  delivered_seq: number;
  read_seq: number;
}

export interface Refresh {
  /** 1 to 200 characters. */
  refresh_token: string;
}

/** With one of `email` and `phone`. `display_name` is the username where it is absent. */
export type Register = {
  /** Of the form `^[A-Za-z][A-Za-z0-9_.]{2,29}$`. Not one that is reserved, as `admin`. */
  username: string;
  /** 8 to 256 characters. Not one of the 10,000 most used ones. */
  password: string;
  /** 1 to 254 characters. */
  email?: string | null;
  /** 1 to 32 characters. With + and the country code, in any notation. */
  phone?: string | null;
  /** 1 to 50 characters. */
  display_name?: string | null;
  /** At most 30 entries. */
  profile?: Record<string, string | string[]> | null;
} & (
  | { email: string; phone?: null }
  | { phone: string; email?: null }
);

/**
 * What the reader has decided about another user: at least one of these. `User.viewer` has more.
 *
 * `muted_until_ms` is absent where a mute has no end; one that has ends then, also where nobody says so.
 * `requested`: the reader has asked to follow, and has no answer yet.
 */
export interface Relation {
  user_id: Id;
  following: boolean;
  blocked: boolean;
  muted: boolean;
  muted_until_ms?: number;
  requested: boolean;
}

export interface RemoveFilter {
  /**
   * 1 to 100 characters. One or more words; upper and lower case are the same, and so are numbers of spaces.
   */
  phrase: string;
}

export interface RemovedPosts {
  post_ids: Id[];
}

export interface Renew {
  /** 1 to 4,096 characters. */
  token: string;
}

export interface Renewed {
  expires_in_s: number;
}

/**
 * `code` is the close code of a lost session that could not be recovered, where its client did not get it.
 */
export interface Resync {
  scope: string;
  code?: number;
}

export interface RevokeSession {
  session_id: Id;
}

export interface SendMessage {
  conversation_id: Id;
  /** 1 to 4,000 characters. */
  text: string;
  /** 1 or more. */
  reply_to_seq?: number | null;
  /**
   * 1 to 64 characters. Chosen by the client: a retry with the same one is answered with what was created, as
   * it is now.
   */
  client_id?: string | null;
}

export interface ServerDraining {
  reconnect_after_ms: number;
}

/** `code` is the error that every call of this login session gets from now on. */
export interface SessionRevoked {
  code: "unauthenticated";
}

/** Without `until_ms` the filter has no end, whatever it had before. */
export interface SetFilter {
  /**
   * 1 to 100 characters. One or more words; upper and lower case are the same, and so are numbers of spaces.
   */
  phrase: string;
  /** 0 to 253,402,300,799,000. */
  until_ms?: number | null;
}

/** Without a text a plain share, of which a user has one for each post; with a text a quote. */
export interface SharePost {
  post_id: Id;
  /** 1 to 5,000 characters. With at most 30 different hashtags and 30 mentions. */
  text?: string | null;
  /**
   * 1 to 64 characters. Chosen by the client: a retry with the same one is answered with what was created, as
   * it is now.
   */
  client_id?: string | null;
}

export interface SubscribeFeed {
  /** 1 to 100. How many items at most; usually 20 where it is absent. */
  limit?: number | null;
}

/** `positions`: for each conversation that the client knows, the `rev` up to which it has all changes. */
export interface Sync {
  /** At most 100 entries. */
  positions: Record<Id, number>;
}

export interface SyncAck {
  conversations: SyncedConversation[];
}

export interface SyncFeed {
  /** 1 to 4,096 characters. */
  after: string;
}

/**
 * What changed above the client's position: `messages` that are new or edited, by rising `rev`, and the
 * `seq`s of those that were deleted.
 *
 * `rev` is the position that the client has then. `truncated`: there are more changes above it; sync again
 * from there. It is true, with `rev` 0 and no messages, for a conversation that the client did not name and
 * that has changes. A `rev` below the client's own means that the database was restored: what the client has
 * of it is to be read anew.
 */
export interface SyncedConversation {
  conversation_id: Id;
  messages: Message[];
  removed_seqs: number[];
  rev: number;
  last_seq: number;
  truncated: boolean;
}

export interface TokenExpiring {
  expires_in_s: number;
}

/** `like_count` is absent where the caller does not see the post, and where there is none. */
export interface UnlikeAck {
  post_id: Id;
  liked: false;
  like_count?: number;
}

/** `like_count` is absent where the caller does not see the comment, and where there is none. */
export interface UnlikeCommentAck {
  comment_id: Id;
  liked: false;
  like_count?: number;
}

export interface UnshareAck {
  post_id: Id;
  shared: false;
}

/** Without `user_ids`: all users. */
export interface UnwatchPresence {
  /** At most 1,000 items. */
  user_ids?: Id[] | null;
}

export interface UpdateComment {
  comment_id: Id;
  /** 1 to 2,000 characters. */
  text: string;
}

/** Absent fields stay as they are. */
export interface UpdatePost {
  post_id: Id;
  /** 1 to 5,000 characters. With at most 30 different hashtags and 30 mentions. */
  text?: string | null;
  visibility?: "public" | "followers" | "private" | null;
  replies?: "everyone" | "followers" | "mentioned" | "nobody" | null;
  sensitive?: boolean | null;
}

/** Absent fields stay as they are; `profile` and `settings` replace the whole old value. */
export interface UpdateUser {
  /** 1 to 50 characters. */
  display_name?: string | null;
  /** At most 300 characters. */
  bio?: string | null;
  /** At most 30 entries. */
  profile?: Record<string, string | string[]> | null;
  /** At most 50 entries. */
  settings?: Record<string, boolean | number | string> | null;
}

/**
 * A user. `viewer` is in answers only, never in a push, and absent where users read themselves.
 *
 * `post_count` is of the posts that the reader may see. The other counts are the same for every reader.
 * `version` is raised by every change of the profile or the settings; counts do not move it.
 */
export interface User {
  id: Id;
  version: number;
  username: string;
  display_name: string;
  bio: string;
  follower_count: number;
  following_count: number;
  post_count: number;
  is_private: boolean;
  viewer?: UserViewer;
}

export interface UserDetail {
  user: User;
  profile: Record<string, string | string[]>;
}

/** The caller's own profile, and what a client needs at its start. */
export interface UserMe {
  user: User;
  email?: string;
  phone?: string;
  profile: Record<string, string | string[]>;
  settings: Record<string, boolean | number | string>;
  server_time_ms: number;
  limits: Limits;
  version: string;
}

/**
 * The relation between the reader and this user.
 *
 * `blocked` is the reader's own block: a reader whom this user blocks never sees them. `muted` is the
 * reader's own mute, of which this user does not learn. `requested`: the reader has asked to follow, and has
 * no answer yet.
 */
export interface UserViewer {
  following: boolean;
  followed_by: boolean;
  blocked: boolean;
  muted: boolean;
  requested: boolean;
}

/** `choices` are the places of options, counted from 0; several only where the poll takes several. */
export interface Vote {
  post_id: Id;
  /** At most 6 items. */
  choices: number[];
}

/** The poll as the caller sees it now; `voted` are the caller's choices. */
export interface VoteAck {
  post_id: Id;
  poll: Poll;
  voted: number[];
}

export interface WatchPresence {
  /** 1 to 1,000 items. */
  user_ids: Id[];
}

/** `until_ms` is absent for a filter without an end. */
export interface WordFilter {
  phrase: string;
  until_ms?: number;
}

export interface WordFilters {
  filters: WordFilter[];
}

export interface WriteMessage {
  user_id: Id;
  /** 1 to 4,000 characters. */
  text: string;
  /**
   * 1 to 64 characters. Chosen by the client: a retry with the same one is answered with what was created, as
   * it is now.
   */
  client_id?: string | null;
}
