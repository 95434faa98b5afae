const NAMES = { "": "as the system", light: "light", dark: "dark" };
const SIGNS = { "": "◐", light: "☀", dark: "☾" };
const NEXT = { "": "dark", dark: "light", light: "" };

/** The button that goes through the colours: as the system, dark, light. */
export function startTheme(button) {
  const root = document.documentElement;
  const show = () => {
    const theme = root.dataset.theme;
    button.textContent = SIGNS[theme];
    button.setAttribute("aria-label", `Colours: ${NAMES[theme]}`);
    button.title = button.getAttribute("aria-label");
  };
  button.addEventListener("click", () => {
    root.dataset.theme = NEXT[root.dataset.theme];
    try {
      localStorage.setItem("rookery-theme", root.dataset.theme);
    } catch {
      // a browser that keeps nothing: the choice lasts as long as the page
    }
    show();
  });
  show();
}
