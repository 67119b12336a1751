"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
  root.classList.add("js");

  // Theme: what the reader chose, else what the system says. Storage may be closed to a file.
  const stored = (value) => {
    try {
      return value === undefined ? localStorage.getItem("quantgate-theme") : localStorage.setItem("quantgate-theme", value);
    } catch {
      return null;
    }
  };
  const theme = document.getElementById("theme");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const say = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`); };
  const kept = stored();
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  say();
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; stored(root.dataset.theme); say(); });

  // Sorting: each verdict is a body of the table, its reason with it.
  const table = document.querySelector(".verdicts");
  const heads = table ? all("thead th[data-key]", table) : [];
  const value = (body, key) => { const text = body.dataset[key]; const number = Number(text); return text !== "" && !Number.isNaN(number) ? number : text; };
  for (const head of heads) head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const order = all("tbody", table).sort((one, other) => {
      const a = value(one, head.dataset.key), b = value(other, head.dataset.key);
      if (a === "" || b === "") return (a === "") - (b === "");
      const ahead = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
      return down ? -ahead : ahead;
    });
    table.append(...order);
  });
  const chips = all(".chips button");
  for (const chip of chips) chip.addEventListener("click", () => {
    chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
    const wanted = new Set(chips.filter((one) => one.getAttribute("aria-pressed") === "true").map((one) => one.dataset.word));
    for (const body of all("tbody", table)) body.hidden = !wanted.has(body.dataset.word);
  });

  // Flips: by checkpoint, suite, group, direction, and by words.
  const flips = all(".flip"), count = document.getElementById("flip-count"), filters = all("[data-filter]");
  const filter = () => {
    let shown = 0;
    const asked = filters.map((one) => [one.dataset.filter, one.value.trim()]).filter(([, wanted]) => wanted !== "");
    for (const flip of flips) {
      const fits = asked.every(([key, wanted]) => key === "words" ? flip.textContent.toLowerCase().includes(wanted.toLowerCase()) : flip.dataset[key] === wanted);
      flip.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${flips.length} shown`;
  };
  let waiting = 0;
  for (const one of filters) one.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, one.tagName === "INPUT" ? 150 : 0); });

  for (const button of all("[data-copy]")) button.addEventListener("click", async () => {
    const text = button.parentElement.querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(button.parentElement.querySelector("code"));
      button.textContent = "Selected";
    }
  });
})();
