// What of a page changes is asked for every two seconds, while somebody looks: only the pieces that differ come back.
// Everything works without this file, by loading the page again.
"use strict";
const EVERY = 2000, SOON = 600, FRESH = 20000, SLOWEST = 30000;
const address = document.body.dataset.live;
const badge = document.getElementById("live");
let heard = Date.now(), failures = 0, after = "", timer = 0, asking = false;

function seen() {
  const regions = new Map();
  for (const region of document.querySelectorAll("[data-region]")) regions.set(region.dataset.region, []);
  for (const piece of document.querySelectorAll("[data-v]")) {
    const region = piece.parentElement.closest("[data-region]");
    if (region) regions.get(region.dataset.region).push(`${piece.id}=${piece.dataset.v}`);
  }
  return [...regions].map(([name, keys]) => `${name}:${keys.join(",")}`).join(";");
}

// What somebody types into, or has opened, stays as it is until they are done.
const isInUse = (piece) => piece.querySelector("details.pop[open], dialog[open]") !== null ||
  (piece.contains(document.activeElement) && document.activeElement.matches("input:not([type=hidden]), select, textarea"));

const FOCUSABLE = "a[href], button, summary, input:not([type=hidden]), select, textarea, [tabindex]";

function replace(old, piece) {
  const place = old.contains(document.activeElement)
    ? [old, ...old.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement) : -1;
  const open = [...old.querySelectorAll("details")].map((one) => one.open);
  old.replaceWith(piece);
  [...piece.querySelectorAll("details")].forEach((one, index) => { if (open[index]) one.open = true; });
  if (place >= 0) [piece, ...piece.querySelectorAll(FOCUSABLE)][place]?.focus({ preventScroll: true });
}

function apply(news) {
  const made = new Map();
  for (const [key, html] of Object.entries(news.pieces)) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    const old = document.getElementById(key), piece = holder.content.firstElementChild;
    if (!old) made.set(key, piece);
    else if (!isInUse(old)) replace(old, piece);
  }
  for (const [name, keys] of Object.entries(news.order)) {
    const region = document.querySelector(`[data-region="${CSS.escape(name)}"]`);
    if (region) arrange(region, keys, made);
  }
  document.dispatchEvent(new CustomEvent("windmill:changed"));
}

// Nothing is moved that is where it belongs: what is moved loses its focus.
function arrange(region, keys, made) {
  const own = [...region.children].filter((one) => one.dataset.v !== undefined);
  for (const piece of own) if (!keys.includes(piece.id)) piece.remove();
  let before = null;
  for (const key of keys) {
    const piece = document.getElementById(key) ?? made.get(key);
    if (!piece) continue;
    const next = before ? before.nextElementSibling : region.firstElementChild;
    if (piece !== next) region.insertBefore(piece, next);
    before = piece;
  }
}

function tell() {
  if (!badge) return;
  const silent = Date.now() - heard, isLive = silent < FRESH;
  const shape = isLive ? "disc" : "half", words = isLive ? "live" : `stale ${Math.round(silent / 1000)} s`;
  if (badge.lastElementChild.textContent === words) return;
  badge.className = `st t-${isLive ? "good" : "warn"}`;
  badge.querySelector("use").setAttribute("href", `#i-${shape}`);
  badge.lastElementChild.textContent = words;
}

async function ask() {
  clearTimeout(timer);
  if (document.hidden || asking) return;
  asking = true;
  let wait = EVERY;
  try {
    const headers = { "Windmill-Seen": seen(), "Windmill-After": after };
    const answer = await fetch(address, { headers, signal: AbortSignal.timeout(15000) });
    if (answer.status === 401) location.reload();
    if (!answer.ok) throw new Error(answer.status);
    const news = answer.status === 204 ? null : await answer.json();
    heard = Date.now();
    failures = 0;
    if (news) apply(news);
    after = news?.more ?? "";
    if (after) wait = SOON;
  } catch {
    failures += 1;
    wait = Math.min(EVERY * 2 ** failures, SLOWEST);
  } finally {
    asking = false;
  }
  tell();
  timer = setTimeout(ask, wait);
}

if (address) {
  timer = setTimeout(ask, EVERY);
  setInterval(tell, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  tell();
}

// Escape closes what is popped up, and gives the focus back; so does a click elsewhere.
document.addEventListener("keydown", (event) => {
  const popped = document.querySelector("details.pop[open]");
  if (event.key === "Escape" && popped) { popped.open = false; popped.querySelector("summary").focus(); }
});
document.addEventListener("click", (event) => {
  for (const popped of document.querySelectorAll("details.pop[open]")) if (!popped.contains(event.target)) popped.open = false;
});

// A filter is applied as soon as it is chosen; without scripts there is a button for it.
for (const form of document.querySelectorAll("form.filters")) {
  form.addEventListener("change", (event) => { if (event.target.matches("select")) form.requestSubmit(); });
}

// On a narrow screen the navigation is wider than the screen: begin where one is.
document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Keys: g and a letter go to a page, / to the search box, ? tells them.
const typing = (event) => event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea");
const hint = document.querySelector(".keys-hint");
if (hint) hint.hidden = false;
let went = false;
document.addEventListener("keydown", (event) => {
  if (typing(event)) return;
  const sections = [...document.querySelectorAll(".nav a")];
  if (went) {
    went = false;
    const found = sections.find((one) => one.textContent.trim().toLowerCase().startsWith(event.key.toLowerCase()));
    if (found) { event.preventDefault(); found.click(); }
  } else if (event.key === "g") {
    went = true;
  } else if (event.key === "/") {
    const box = document.querySelector("input[type=search]");
    if (box) { event.preventDefault(); box.focus(); }
  } else if (event.key === "?") {
    showKeys(sections);
  }
});

function showKeys(sections) {
  let told = document.getElementById("keys");
  if (!told) {
    told = document.createElement("dialog");
    told.id = "keys";
    told.setAttribute("aria-label", "Keyboard");
    const names = sections.map((one) => one.textContent.trim()).filter((name, index, all) =>
      all.findIndex((other) => other[0] === name[0]) === index);
    const own = [...document.querySelectorAll("[data-key]")].map((one) => [one.dataset.key, one.textContent]);
    const lines = [...own, ...names.map((name) => [`g ${name[0].toLowerCase()}`, name]), ["/", "the search box"], ["Esc", "close"]];
    const list = document.createElement("dl");
    list.className = "pair";
    for (const [key, does] of lines) {
      const term = document.createElement("dt"), shown = document.createElement("kbd"), what = document.createElement("dd");
      shown.textContent = key;
      what.textContent = does;
      term.append(shown);
      list.append(term, what);
    }
    told.append(list);
    document.body.append(told);
  }
  if (!told.open) told.showModal();
}

// A button that copies what stands in the element that it names.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    button.textContent = "Copied";
  });
}
