"use strict";
// Headings sort their table, at first upward, then downward; what has no number comes last.
for (const table of document.querySelectorAll("table")) {
  const headings = [...table.querySelectorAll("thead th")];
  headings.forEach((heading, column) => {
    const button = heading.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const key = (row) => {
        const cell = row.cells[column];
        return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
      };
      const rank = (value) => (Number.isNaN(value) ? 2 : typeof value === "number" ? 0 : 1);
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (rank(x) !== rank(y)) return rank(x) - rank(y);
        return sign * (typeof x === "number" ? x - y : x.localeCompare(y));
      };
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort(compare));
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    });
  });
}
// A token shades those that the chosen head attends to from it.
for (const figure of document.querySelectorAll(".attention")) {
  const patterns = JSON.parse(figure.querySelector("script").textContent);
  const heads = [...figure.querySelectorAll(".heads button")];
  const tokens = [...figure.querySelectorAll(".token")];
  const told = figure.querySelector(".told");
  let head = 0, from = tokens.length - 1;
  const show = () => {
    const row = (patterns[head] || [])[from] || [];
    tokens.forEach((token, position) => {
      token.style.setProperty("--share", `${Math.round(100 * (row[position] || 0))}%`);
      token.classList.toggle("from", position === from);
    });
    const most = row.map((weight, position) => [weight, position]).sort((a, b) => b[0] - a[0]);
    const words = most.slice(0, 3).map(([weight, position]) =>
      `${tokens[position].textContent} (position ${position}) ${(100 * weight).toFixed(1)} %`);
    if (tokens[from]) told.textContent =
      `Head ${heads[head] ? heads[head].textContent : ""} from ${tokens[from].textContent} (position ${from}): ${words.join(", ")}`;
  };
  const choose = (number) => {
    head = (number + heads.length) % heads.length;
    heads.forEach((button, other) => {
      button.setAttribute("aria-checked", String(other === head));
      button.tabIndex = other === head ? 0 : -1;
    });
    show();
  };
  heads.forEach((button, number) => {
    button.addEventListener("click", () => choose(number));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      choose(number + step);
      heads[head].focus();
    });
  });
  tokens.forEach((token, position) => {
    for (const kind of ["pointerenter", "focus", "click"])
      token.addEventListener(kind, () => { from = position; show(); });
  });
  if (heads.length && tokens.length) choose(0);
}
