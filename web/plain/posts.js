import { element, show, when } from "/client/dom.js";
import { Comments } from "/plain/comments.js";
import { PollView } from "/plain/poll.js";

const nameOf = (person) => person.display_name || person.username;

/** Whose post it is, and when it was written. */
function byline(post) {
  return [
    element("span", { className: "who" }, nameOf(post.author)), " ",
    element("span", { className: "when" }, `@${post.author.username} · ${when(post.created_at_ms)}`),
  ];
}

function linkOf(post) {
  const url = post.link?.url ?? post.link;
  return url ? [element("p", {}, element("a", { href: url, rel: "noreferrer nofollow" }, url))] : [];
}

/** The post inside of a share; it is absent where it is gone or hidden. */
function sharedView(post) {
  if (post.kind !== "share") return [];
  const inner = post.shared
    ? [...byline(post.shared), element("p", {}, post.shared.text), ...linkOf(post.shared)]
    : [element("p", { className: "hint" }, "This post is not available.")];
  return [element("blockquote", {}, ...inner)];
}

/** One post in a list, with all that its reader may do with it. */
export class PostView {
  #socket; #own; #fail; #added; #post; #body = element("div"); #actions = element("p", { className: "actions" });
  #comments; #poll;

  /** `added` is called with a post that this one led to. */
  constructor(post, { socket, own, fail, added }) {
    this.#socket = socket;
    this.#own = own;
    this.#fail = fail;
    this.#added = added;
    this.#comments = new Comments(socket, post.id, fail);
    this.#poll = post.poll ? new PollView(socket, post.id, fail, (voted) => this.update(voted)) : null;
    this.element = element("li", {}, this.#body, this.#actions, this.#comments.element);
    this.element.dataset.post = post.id;
    this.update(post);
  }

  /** Shows the post as it is now. In a push nothing is said of the reader: what is known of that stays. */
  update(post) {
    this.#post = { ...post, viewer: post.viewer ?? this.#post?.viewer };
    this.#body.replaceChildren(...byline(post), element("p", {}, post.text), ...linkOf(post), ...sharedView(post));
    if (this.#poll) this.#body.append(this.#poll.draw(post.poll, this.#post.viewer?.voted));
    this.#drawActions();
  }

  onComment(name, data) {
    this.#comments.onPush(name, data);
  }

  #drawActions() {
    const { viewer, like_count: likes, comment_count: comments, share_count: shares } = this.#post;
    const liked = viewer?.liked ?? false;
    const like = this.#button(`${liked ? "♥" : "♡"} ${likes}`, `${liked ? "Unlike" : "Like"}, ${likes} so far`, () => this.#like(liked));
    like.classList.toggle("liked", liked);
    const saved = viewer?.bookmarked ?? false;
    this.#actions.replaceChildren(
      like, " ",
      this.#button(`Comments ${comments}`, `Comments, ${comments} so far`, () => this.#comments.toggle()), " ",
      this.#button(`Share ${shares}`, `Share, ${shares} so far`, () => this.#share()), " ",
      this.#button(saved ? "Remove the bookmark" : "Bookmark", saved ? "Remove the bookmark" : "Bookmark", () => this.#bookmark(saved)),
    );
  }

  #button(text, label, act) {
    const button = element("button", { type: "button" }, text);
    button.setAttribute("aria-label", label);
    button.addEventListener("click", () => Promise.resolve(act()).catch(this.#fail));
    return button;
  }

  async #like(liked) {
    const answer = await this.#socket.call("/posts", liked ? "post:unlike" : "post:like", { post_id: this.#post.id });
    this.#post.viewer = { ...this.#post.viewer, liked: answer.liked };
    this.#post.like_count = answer.like_count ?? this.#post.like_count - 1; // absent where the post was hidden since
    this.#drawActions();
  }

  async #share() {
    const { post } = await this.#socket.call("/posts", "post:share", { post_id: this.#post.shared?.id ?? this.#post.id });
    this.#added(post);
  }

  async #bookmark(saved) {
    await this.#socket.call("/posts", saved ? "bookmark:remove" : "bookmark:add", { post_id: this.#post.id });
    this.#post.viewer = { ...this.#post.viewer, bookmarked: !saved };
    this.#drawActions();
  }
}
