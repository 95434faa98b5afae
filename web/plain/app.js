import { RookerySocket } from "/client/socket.js";
import * as session from "/client/session.js";
import { Chat } from "/plain/chat.js";
import { element, show } from "/client/dom.js";
import { People } from "/plain/people.js";
import { PostView } from "/plain/posts.js";

const NAMESPACES = ["/users", "/posts", "/feed", "/chat"];
const POLL_S = 86_400;
const $ = (id) => document.getElementById(id);

let socket = null;
let chat = null;
let oldest = null;
let newPosts = [];
const views = new Map();

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
  new People(socket, user, { fail, chat, changed: () => setTimeout(() => load().catch(fail), 300) });
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
  else if (name.startsWith("comment:")) views.get(data.comment?.post_id ?? data.post_id)?.onComment(name, data);
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
  views.clear();
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
  views.get(post.id)?.update(post);
}

function removePosts(ids) {
  newPosts = newPosts.filter(({ id }) => !ids.includes(id));
  for (const id of ids) {
    views.get(id)?.element.remove();
    views.delete(id);
  }
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
    const options = $("composer-options").value.split("\n").map((line) => line.trim()).filter(Boolean);
    const { post } = await socket.call("/posts", "post:create", {
      text: $("composer-text").value,
      ...(options.length && { poll: { options, closes_in_s: POLL_S } }),
      client_id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
    });
    $("composer").reset();
    prepend(post);
  } catch (error) {
    fail(error);
  }
});

function postView(post) {
  const own = session.current().user;
  const view = new PostView(post, { socket, own, fail, added: prepend });
  views.set(post.id, view);
  return view.element;
}

function prepend(post) {
  if (!$("feed").querySelector(`[data-post="${post.id}"]`)) $("feed").prepend(postView(post));
}

if (session.current()) start();
