const SERVER = "http://localhost:8000";

/** Code samples: with this server's address, one language for all of them, and a button to copy. */
export function startSamples(root) {
  for (const code of root.querySelectorAll(".tabs pre code")) {
    code.textContent = code.textContent.replaceAll(SERVER, location.origin);
    code.parentElement.addEventListener("pointerenter", addCopy, { once: true });
    code.parentElement.addEventListener("focus", addCopy, { once: true });
  }
  root.addEventListener("change", (event) => {
    if (!event.target.matches(".tabs input")) return;
    const before = event.target.getBoundingClientRect().top;
    for (const input of root.querySelectorAll(`.tabs input[value="${event.target.value}"]`)) input.checked = true;
    scrollBy({ top: event.target.getBoundingClientRect().top - before, behavior: "instant" });
  });
}

function addCopy({ currentTarget: pre }) {
  if (pre.querySelector(".copy")) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(pre.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  pre.append(button);
}
