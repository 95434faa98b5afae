import { RookerySocket } from "/client/socket.js";
import * as session from "/client/session.js";
import { Chat } from "/plain/chat.js";
import { element, show, when } from "/client/dom.js";

const NAMESPACES = ["/users", "/posts", "/feed", "/chat"];
const $ = (id) => document.getElementById(id);

let socket = null;
let chat = null;
let oldest = null;
let newPosts = [];

function showStatus(text) {
  $("status").textContent = text;
}

const fail = (error) => showStatus(reason(error));

/** What is wrong, in words: with the first field at fault, if any. */
function reason(error) {
  const [fault] = Object.entries(error.fields ?? {});
  return fault?.join(" ").trim() ?? error.message ?? String(error);
}

// Log in and log out

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const authenticate = event.submitter.value === "register" ? session.register : session.logIn;
  try {
    await authenticate($("username").value, $("password").value);
    start();
  } catch (error) {
    $("login-error").textContent = reason(error);
  }
});

$("log-out").addEventListener("click", async () => {
  socket.close();
  await session.logOut().catch(fail);
  location.reload();
});

function start() {
  const { user } = session.current();
  show($("login"), false);
  show($("home"), true);
  show($("log-out"), true);
  showStatus(`${user.username} · connecting…`);
  socket = new RookerySocket({
    namespaces: NAMESPACES,
    token: () => session.current().access_token,
    onPush,
    onState: onStateChange,
  });
  chat = new Chat(socket, user, fail);
}

async function onStateChange(state) {
  const { user } = session.current();
  if (state === "open") {
    showStatus(`${user.username} · live`);
    await load().catch(fail);
  } else if (state === "lost") {
    showStatus(`${user.username} · connection lost, reconnecting…`);
  } else {
    try {
      await session.refresh();
      start();
    } catch {
      sessionStorage.clear();
      location.reload();
    }
  }
}

function onPush(namespace, name, data) {
  if (name === "feed:new") queueNewPost(data.post);
  else if (name === "post:updated") updatePost(data.post);
  else if (name === "post:deleted") removePosts([data.post_id]);
  else if (name === "feed:removed") removePosts(data.post_ids);
  else if (name === "token:expiring" && namespace === "/users") renew().catch(fail);
  else if (name === "resync") load().catch(fail);
  else chat.onPush(name, data).catch(fail);
}

async function renew() {
  const { access_token } = await session.refresh();
  await socket.call("/users", "auth:renew", { token: access_token });
}

async function load() {
  const page = await socket.call("/feed", "feed:subscribe", {});
  newPosts = [];
  showNewer();
  $("feed").replaceChildren();
  addOlder(page);
  if (!page.items.length) $("feed").append(element("li", { className: "hint" }, "Follow people to see their posts here."));
  await chat.load();
}

// Posts

function addOlder(page) {
  $("feed").append(...page.items.map(postView));
  oldest = page.next_cursor;
  show($("older"), Boolean(oldest));
}

function queueNewPost(post) {
  // A post may be both pushed and in the page: compare ids.
  if (newPosts.some(({ id }) => id === post.id) || $("feed").querySelector(`[data-post="${post.id}"]`)) return;
  newPosts.push(post);
  showNewer();
}

function updatePost(post) {
  newPosts = newPosts.map((queued) => (queued.id === post.id ? post : queued));
  const text = $("feed").querySelector(`[data-post="${post.id}"] p`);
  if (text) text.textContent = post.text;
}

function removePosts(ids) {
  newPosts = newPosts.filter(({ id }) => !ids.includes(id));
  for (const id of ids) $("feed").querySelector(`[data-post="${id}"]`)?.remove();
  showNewer();
}

function showNewer() {
  $("newer").textContent = newPosts.length === 1 ? "1 new post" : `${newPosts.length} new posts`;
  show($("newer"), Boolean(newPosts.length));
}

$("newer").addEventListener("click", () => {
  for (const post of newPosts) $("feed").prepend(postView(post));
  newPosts = [];
  showNewer();
});

$("older").addEventListener("click", () =>
  socket.call("/feed", "feed:page", { before: oldest }).then(addOlder).catch(fail));

$("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const { post } = await socket.call("/posts", "post:create", {
      text: $("composer-text").value,
      client_id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
    });
    $("composer").reset();
    $("feed").prepend(postView(post));
  } catch (error) {
    fail(error);
  }
});

function postView(post) {
  let liked = post.viewer?.liked ?? false;
  const like = element("button", {}, "");
  let count = post.like_count;
  const draw = () => {
    like.textContent = `${liked ? "♥" : "♡"} ${count}`;
    like.classList.toggle("liked", liked);
    like.setAttribute("aria-label", `${liked ? "Unlike" : "Like"}, ${count} so far`);
  };
  draw();
  like.addEventListener("click", async () => {
    try {
      const answer = await socket.call("/posts", liked ? "post:unlike" : "post:like", { post_id: post.id });
      liked = answer.liked;
      count = answer.like_count ?? count - 1; // absent where the post was hidden or deleted since
      draw();
    } catch (error) {
      fail(error);
    }
  });
  const link = post.link ? [element("p", {}, element("a", { href: post.link, rel: "noreferrer nofollow" }, post.link))] : [];
  const view = element("li", {},
    element("span", { className: "who" }, post.author.display_name || post.author.username), " ",
    element("span", { className: "when" }, `@${post.author.username} · ${when(post.created_at_ms)}`),
    element("p", {}, post.text), ...link, like);
  view.dataset.post = post.id;
  return view;
}

// People

$("finder").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const { user } = await socket.call("/users", "user:get", { username: $("finder-name").value.trim() });
    $("found").replaceChildren(personView(user));
  } catch (error) {
    $("found").replaceChildren(element("p", { className: "error" }, reason(error)));
  }
});

function personView(user) {
  const follow = element("button", {}, user.viewer?.following ? "Unfollow" : "Follow");
  follow.addEventListener("click", async () => {
    try {
      const command = follow.textContent === "Follow" ? "user:follow" : "user:unfollow";
      await socket.call("/users", command, { user_id: user.id });
      const { user: changed } = await socket.call("/users", "user:get", { user_id: user.id });
      $("found").replaceChildren(personView(changed));
      setTimeout(() => load().catch(fail), 300);
    } catch (error) {
      fail(error);
    }
  });
  const talk = element("button", {}, "Message");
  talk.addEventListener("click", () => chat.open(user.id).catch(fail));
  const own = user.id === session.current().user.id;
  return element("p", {},
    element("span", { className: "who" }, user.display_name || user.username), " ",
    element("span", { className: "when" }, `@${user.username} · ${user.follower_count} followers`), " ",
    ...(own ? [] : [follow, " ", talk]));
}

if (session.current()) start();
