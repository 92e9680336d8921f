"use strict";

const at = (id) => document.getElementById(id);
let judge = "";
let pair = null;
let busy = true; // while a vote is on its way, or the next pair not yet whole, keys do nothing

const loaded = async (src) => {
  const image = new Image();
  image.src = src;
  await image.decode().catch(() => {});
};
const sources = (shown) => [shown.left, shown.right, ...shown.beside.map((one) => one.src)];

async function show(state) {
  pair = state.pair;
  if (pair) await Promise.all(sources(pair).map(loaded));
  at("start").hidden = true;
  at("bar").max = state.total;
  at("bar").value = state.done;
  at("count").textContent = pair ? `${state.done + 1} of ${state.total}` : `${state.total} done, thank you`;
  at("said").textContent = pair ? pair.said : "";
  for (const id of ["pair", "beside", "keys"]) at(id).hidden = !pair;
  at("undo").toggleAttribute("aria-hidden", !state.done); // it keeps its place
  at("result").hidden = Boolean(pair);
  at("result").textContent = state.result ?? "";
  if (!pair) return at("result").focus();
  at("left").src = pair.left;
  at("right").src = pair.right;
  at("beside").replaceChildren(...pair.beside.map(({ caption, src }) => {
    const figure = document.createElement("figure");
    const image = document.createElement("img");
    const title = document.createElement("figcaption");
    image.src = src;
    image.alt = title.textContent = caption;
    figure.append(title, image);
    return figure;
  }));
  if (state.next) sources(state.next).forEach(loaded);
}

async function ask(path, body) {
  busy = true;
  at("trouble").textContent = "";
  const state = () => fetch(`/state?judge=${encodeURIComponent(judge)}`);
  try {
    let answer = body
      ? await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })
      : await state();
    if (!answer.ok) {
      at("trouble").textContent = (await answer.json()).message;
      answer = await state(); // another window may have gone on: show what is next
    }
    if (answer.ok) await show(await answer.json());
  } catch {
    at("trouble").textContent = "The judge's server does not answer: start it again, then reload this page.";
  }
  busy = false;
}

const vote = (choice) => !busy && pair && ask("/vote", { judge, pair: pair.id, choice });
const undo = () => !busy && !at("undo").hasAttribute("aria-hidden") && ask("/undo", { judge });

at("start").onsubmit = (event) => {
  event.preventDefault();
  judge = at("name").value.trim();
  try { localStorage.setItem("judge", judge); } catch { /* a private window: ask again next time */ }
  if (judge) ask("/state");
};
try { at("name").value = localStorage.getItem("judge") ?? ""; } catch { /* see above */ }
for (const button of at("keys").children) {
  button.onclick = () => { button.blur(); vote(Number(button.dataset.choice)); };
}
at("undo").onclick = () => { at("undo").blur(); undo(); };
addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || !at("start").hidden) return;
  if (["0", "1", "2"].includes(event.key)) vote(Number(event.key));
  if (event.key === "u") undo();
});
