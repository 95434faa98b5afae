// Runs before the page is drawn, so that nobody sees the other colours first.

const root = document.documentElement;
root.classList.add("scripts");
try {
  root.dataset.theme = localStorage.getItem("rookery-theme") ?? "";
} catch {
  root.dataset.theme = ""; // a browser that keeps nothing
}
