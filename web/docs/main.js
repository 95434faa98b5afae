import { startSearch } from "/docs/search.js";
import { startSamples } from "/docs/samples.js";
import { startTheme } from "/docs/switch.js";
import { startContents } from "/docs/contents.js";

startTheme(document.getElementById("theme"));
startContents(document.querySelector(".contents"));
startSearch(document.getElementById("search"), document.getElementById("search-count"), document.querySelector(".contents"));
startSamples(document);

// The console is loaded when somebody wants it.
async function openConsole(command) {
  const { showConsole } = await import("/docs/console/console.js");
  await showConsole(command);
}

document.getElementById("open-console").addEventListener("click", () => openConsole());
document.addEventListener("click", (event) => {
  const button = event.target.closest(".try");
  if (button) openConsole(button.dataset.command);
});
