import { element, show, when } from "/client/dom.js";

const nameOf = (person) => person.display_name || person.username;

/** The comments under one post, with a branch for each comment that was opened; live while they are shown. */
export class Comments {
  #socket; #postId; #fail; #branches = new Map();
  element = element("div", { className: "comments", hidden: true });

  constructor(socket, postId, fail) {
    this.#socket = socket;
    this.#postId = postId;
    this.#fail = fail;
  }

  async toggle() {
    const opens = this.element.hidden;
    show(this.element, opens);
    await this.#socket.call("/posts", opens ? "post:watch" : "post:unwatch", { post_id: this.#postId });
    if (!opens) return;
    this.#branches.clear();
    this.element.replaceChildren(await this.#branch(null), this.#writer(null));
  }

  onPush(name, data) {
    if (this.element.hidden) return;
    if (name === "comment:deleted") {
      this.element.querySelector(`[data-comment="${data.comment_id}"]`)?.remove();
      return;
    }
    const { comment } = data;
    const drawn = this.element.querySelector(`[data-comment="${comment.id}"] > .text`);
    if (drawn) drawn.textContent = comment.text;
    else if (name === "comment:created") this.#add(comment);
  }

  #add(comment) {
    if (this.element.querySelector(`[data-comment="${comment.id}"]`)) return;
    this.#branches.get(comment.parent_id ?? null)?.prepend(this.#view(comment));
  }

  async #branch(parentId) {
    const list = element("ul", {});
    this.#branches.set(parentId, list);
    const older = element("button", { type: "button" }, "More");
    let before;
    const load = async () => {
      const named = { post_id: this.#postId, ...(parentId && { parent_id: parentId }), ...(before && { before }) };
      const page = await this.#socket.call("/posts", "comment:list", named);
      list.append(...page.items.map((comment) => this.#view(comment)));
      before = page.next_cursor;
      show(older, Boolean(before));
    };
    older.addEventListener("click", () => load().catch(this.#fail));
    await load();
    return element("div", {}, list, older);
  }

  #view(comment) {
    const who = comment.author
      ? [element("span", { className: "who" }, nameOf(comment.author)), " ", element("span", { className: "when" }, when(comment.created_at_ms))]
      : [element("span", { className: "when" }, "deleted")];
    const replies = element("button", { type: "button" }, `Replies ${comment.reply_count}`);
    const view = element("li", {}, ...who, element("p", { className: "text" }, comment.text), this.#like(comment), " ", replies);
    view.dataset.comment = comment.id;
    replies.addEventListener("click", () => this.#open(comment.id, view, replies).catch(this.#fail));
    return view;
  }

  async #open(commentId, view, button) {
    button.remove();
    view.append(await this.#branch(commentId), this.#writer(commentId));
  }

  #like(comment) {
    let liked = comment.viewer?.liked ?? false, count = comment.like_count;
    const button = element("button", { type: "button" });
    const draw = () => {
      button.textContent = `${liked ? "♥" : "♡"} ${count}`;
      button.setAttribute("aria-label", `${liked ? "Unlike" : "Like"} the comment, ${count} so far`);
    };
    button.addEventListener("click", async () => {
      try {
        const answer = await this.#socket.call("/posts", liked ? "comment:unlike" : "comment:like", { comment_id: comment.id });
        liked = answer.liked;
        count = answer.like_count ?? count - 1;
        draw();
      } catch (error) {
        this.#fail(error);
      }
    });
    draw();
    return button;
  }

  #writer(parentId) {
    const text = element("input", { autocomplete: "off", required: true, placeholder: parentId ? "Reply" : "Comment" });
    text.setAttribute("aria-label", parentId ? "Your reply" : "Your comment");
    const form = element("form", { className: "line" }, text, element("button", {}, "Send"));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        const named = { post_id: this.#postId, text: text.value, ...(parentId && { parent_id: parentId }) };
        const { comment } = await this.#socket.call("/posts", "comment:create", named);
        form.reset();
        this.#add(comment);
      } catch (error) {
        this.#fail(error);
      }
    });
    return form;
  }
}
