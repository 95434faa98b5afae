import { element, when } from "/client/dom.js";

/** A poll: its choices until one has voted, then its results. */
export class PollView {
  #socket; #postId; #fail; #voted; #poll;

  /** `voted` is called with the post as it is after one's vote. */
  constructor(socket, postId, fail, voted) {
    this.#socket = socket;
    this.#postId = postId;
    this.#fail = fail;
    this.#voted = voted;
  }

  draw(poll, choices) {
    // A push has no results before the end, and does not say what the reader chose.
    const kept = this.#poll && !poll.closed && poll.options.every(({ vote_count: count }) => count === undefined);
    this.#poll = kept ? this.#poll : poll;
    const chosen = choices ?? [];
    return chosen.length || this.#poll.closed ? this.#results(this.#poll, chosen) : this.#ballot(this.#poll);
  }

  #ballot(poll) {
    const name = `poll-${this.#postId}`;
    const form = element("form", { className: "poll" },
      ...poll.options.map(({ text }, place) =>
        element("label", { className: "choice" },
          element("input", { type: poll.multiple ? "checkbox" : "radio", name, value: String(place) }), text)),
      element("button", {}, "Vote"), " ", this.#end(poll));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const choices = new FormData(form).getAll(name).map(Number);
      if (choices.length) this.#vote(choices).catch(this.#fail);
    });
    return form;
  }

  #results(poll, chosen) {
    const rows = poll.options.map(({ text, vote_count: count }, place) =>
      element("li", { className: chosen.includes(place) ? "chosen" : "" },
        `${text}${count === undefined ? "" : ` · ${count}`}`));
    const taken = element("button", { type: "button" }, "Take back");
    taken.addEventListener("click", () => this.#vote([]).catch(this.#fail));
    return element("div", { className: "poll" },
      element("ul", {}, ...rows), ...(poll.closed ? [] : [taken, " "]), this.#end(poll));
  }

  #end(poll) {
    const until = poll.closed ? "closed" : `until ${when(poll.closes_at_ms)}`;
    return element("span", { className: "when" }, `${poll.vote_count} votes · ${until}`);
  }

  async #vote(choices) {
    await this.#socket.call("/posts", "poll:vote", { post_id: this.#postId, choices });
    const { post } = await this.#socket.call("/posts", "post:get", { post_id: this.#postId });
    this.#poll = null;
    this.#voted(post);
  }
}
