import { element } from "/client/dom.js";

const $ = (id) => document.getElementById(id);
const nameOf = (person) => person.display_name || person.username;

/** Finds people and follows them. */
export class People {
  #socket; #own; #fail; #chat; #changed;

  /** `changed` is called when the feed shows other people than before. */
  constructor(socket, own, { fail, chat, changed }) {
    this.#socket = socket;
    this.#own = own;
    this.#fail = fail;
    this.#chat = chat;
    this.#changed = changed;
    $("finder").onsubmit = (event) => {
      event.preventDefault();
      this.#find($("finder-name").value.trim());
    };
  }

  async #find(username) {
    try {
      const { user } = await this.#socket.call("/users", "user:get", { username });
      $("found").replaceChildren(this.#view(user));
    } catch (error) {
      $("found").replaceChildren(element("p", { className: "error" }, error.message ?? String(error)));
    }
  }

  #view(user) {
    const following = user.viewer?.following;
    const follow = this.#button(following ? "Unfollow" : "Follow", async () => {
      await this.#socket.call("/users", following ? "user:unfollow" : "user:follow", { user_id: user.id });
      const { user: changed } = await this.#socket.call("/users", "user:get", { user_id: user.id });
      $("found").replaceChildren(this.#view(changed));
      this.#changed();
    });
    const talk = this.#button("Message", () => this.#chat.open(user.id));
    const actions = user.id === this.#own.id ? [] : [follow, " ", talk];
    return element("p", {},
      element("span", { className: "who" }, nameOf(user)), " ",
      element("span", { className: "when" }, `@${user.username} · ${user.follower_count} followers`), " ",
      ...actions);
  }

  #button(text, act) {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", () => Promise.resolve(act()).catch(this.#fail));
    return button;
  }
}
