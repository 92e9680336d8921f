// Sorting, filtering and enlarging: the page is whole without them.
"use strict";

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.onclick = () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      const order = (a, b) => {
        if (a === "" || b === "") return (a === "") - (b === ""); // what has no value comes last, both ways
        const numbers = a - b;
        return (down ? -1 : 1) * (Number.isNaN(numbers) ? a.localeCompare(b) : numbers);
      };
      body.append(...[...body.rows].sort((a, b) => order(value(a), value(b))));
    };
  });
  if (body.rows.length < 10 || !table.closest("details.all")) continue;
  const filter = document.createElement("input");
  filter.className = "filter";
  filter.type = "search";
  filter.placeholder = "Filter these cases";
  filter.setAttribute("aria-label", "Filter these cases");
  filter.oninput = () => {
    const wanted = filter.value.toLowerCase().split(/\s+/);
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
    }
  };
  table.parentElement.before(filter);
}

// The pictures of one case in the same place, one after another: the eye sees what moved.
const dialog = document.createElement("dialog");
const large = document.createElement("img");
const caption = document.createElement("p");
dialog.append(large, caption);
document.body.append(dialog);
let around = [];
let at = 0;
const show = (place) => {
  at = (place + around.length) % around.length;
  large.src = around[at].src;
  large.alt = around[at].alt;
  const more = around.length > 1 ? ` (${at + 1} of ${around.length}, arrow keys or a click for the next)` : "";
  caption.textContent = around[at].alt + more;
};
for (const image of document.querySelectorAll(".pictures img")) {
  image.className = "zoomable";
  image.tabIndex = 0;
  image.setAttribute("role", "button");
  image.onclick = () => {
    around = [...image.closest(".pictures").querySelectorAll("img")];
    show(around.indexOf(image));
    dialog.showModal();
  };
  image.onkeydown = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    image.onclick();
  };
}
large.onclick = () => show(at + 1);
dialog.onclick = (event) => event.target === dialog && dialog.close();
dialog.onkeydown = (event) => {
  if (event.key === "ArrowRight") show(at + 1);
  if (event.key === "ArrowLeft") show(at - 1);
};

// A link to what is folded away unfolds it; paper has no folds.
const unfold = () => document.getElementById(location.hash.slice(1))?.closest("details")?.setAttribute("open", "");
addEventListener("hashchange", unfold);
unfold();
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details:not(.all)")) folded.open = true;
});
