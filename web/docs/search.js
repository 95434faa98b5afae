/** The search box: filters the contents as one types; Enter jumps to the entry that is chosen. */
export function startSearch(box, count, contents) {
  const lists = [...contents.querySelectorAll("ul")];
  const entries = [...contents.querySelectorAll("li")].map((item) => {
    const link = item.querySelector("a");
    const name = link.textContent.toLowerCase();
    return { item, link, name, words: `${name} ${name.replace(/[:_]/g, " ")} ${link.dataset.words ?? ""}` };
  });
  let found = [];
  let chosen = -1;

  const choose = (index) => {
    found[chosen]?.link.classList.remove("chosen");
    chosen = found.length ? (index + found.length) % found.length : -1;
    if (chosen < 0) return;
    found[chosen].link.classList.add("chosen");
    found[chosen].link.scrollIntoView({ block: "nearest", behavior: "instant" });
  };

  const filter = () => {
    const asked = box.value.toLowerCase().trim();
    const words = asked.split(/\s+/);
    found[chosen]?.link.classList.remove("chosen");
    for (const entry of entries) entry.item.hidden = !words.every((word) => entry.words.includes(word));
    for (const list of lists) {
      const empty = [...list.children].every((item) => item.hidden);
      list.hidden = empty;
      const title = list.previousElementSibling;
      if (title) title.hidden = empty;
    }
    contents.classList.toggle("searched", asked !== "");
    found = asked ? entries.filter((entry) => !entry.item.hidden).sort((one, other) => rank(one, asked) - rank(other, asked)) : [];
    chosen = -1;
    choose(0);
    count.textContent = asked ? `${found.length} found` : "";
    if (asked) contents.open = true;
  };

  const jump = () => {
    if (chosen < 0) return;
    const { link } = found[chosen];
    clear();
    box.blur();
    link.click();
    const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    target.querySelector("a")?.focus({ preventScroll: true });
  };

  const clear = () => {
    box.value = "";
    filter();
  };

  box.addEventListener("input", filter);
  box.addEventListener("keydown", (event) => {
    const acts = { ArrowDown: () => choose(chosen + 1), ArrowUp: () => choose(chosen - 1), Enter: jump, Escape: clear }[event.key];
    if (!acts) return;
    event.preventDefault();
    acts();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=radio], [type=checkbox]), textarea, select");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
}

/** The same name comes first, then names that begin like it, then names that have it, then the rest. */
function rank({ name }, asked) {
  if (name === asked) return 0;
  if (name.startsWith(asked)) return 1;
  return name.includes(asked) ? 2 : 3;
}
