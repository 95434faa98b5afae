import { startSearch } from "/docs/search.js";
import { startSamples } from "/docs/samples.js";
import { startTheme } from "/docs/switch.js";
import { startContents } from "/docs/contents.js";

startTheme(document.getElementById("theme"));
startContents(document.querySelector(".contents"));
startSearch(document.getElementById("search"), document.getElementById("search-count"), document.querySelector(".contents"));
startSamples(document);
