// The picture of the inspector: confidence and lines by sliders, what is drawn kept from image to image, the bare picture
// while H is held, and J and K to go on. Layers and labels are switched by the style sheet alone.
"use strict";
{
  const view = document.getElementById("view");
  const all = [...document.querySelectorAll("#boxes .box")];
  const from = document.getElementById("from"), see = document.getElementById("see"), least = document.getElementById("least");
  const kept = {
    get(key) { try { return localStorage.getItem(`windmill.${key}`); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(`windmill.${key}`, value); } catch { /* nothing is kept then */ } },
  };

  // What is said below of a box goes with it, so that a list of unlikely ones is not in the way.
  const follow = (box) => {
    const off = box.classList.contains("off");
    for (const said of document.querySelectorAll(`[data-of="${box.getAttribute("href").slice(1)}"]`)) said.hidden = off;
  };
  const count = () => {
    const shown = all.filter((box) => getComputedStyle(box).display !== "none").length;
    document.getElementById("counted").textContent = `${shown} of ${all.length} boxes shown`;
  };
  const draw = () => {
    const sure = Number(from.value), voices = Number(least?.value ?? 1);
    document.getElementById("from-said").textContent = sure === 1 ? "1.0" : sure.toFixed(2).slice(1);
    if (least) document.getElementById("least-said").textContent = voices;
    for (const box of all) {
      box.classList.toggle("off", Number(box.dataset.p) < sure || Number(box.dataset.seen ?? voices) < voices);
      if (box.matches("a")) follow(box);
    }
    const below = all.filter((box) => box.matches("a.off")).length;
    const unlikely = document.getElementById("unlikely");
    unlikely.hidden = !below;
    unlikely.textContent = `${below} more ${below === 1 ? "is" : "are"} hidden by the sliders.`;
    document.getElementById("boxes").style.opacity = see.value;
    count();
  };

  const choose = (box) => {
    for (const one of all) one.classList.toggle("on", one === box);
    const card = box && document.querySelector(box.getAttribute("href"));
    if (card) card.open = true;
  };

  if (view) {
    for (const hidden of document.querySelectorAll(".slides, .needs-script")) hidden.hidden = false;
    for (const slide of [from, see, least].filter(Boolean)) {
      slide.value = kept.get(slide.id) ?? slide.value;
      slide.addEventListener("input", () => { kept.set(slide.id, slide.value); draw(); });
    }
    // Labels differ from image to image, so which of them are shown is not kept.
    for (const tick of document.querySelectorAll(".looks input[type=checkbox], .looks input[type=radio]")) {
      const name = tick.dataset.layer ? `layer.${tick.dataset.layer}` : tick.id;
      if (!tick.id.startsWith("show-k")) {
        const was = kept.get(name);
        if (was !== null) tick.checked = was === "true";
      }
      tick.addEventListener("change", () => {
        for (const one of tick.type === "radio" ? document.querySelectorAll("input[name=by]") : [tick]) {
          kept.set(one === tick ? name : one.id, one.checked);
        }
        count();
      });
    }
    for (const box of all.filter((one) => one.matches("a"))) {
      box.addEventListener("pointerenter", () => choose(box));
      box.addEventListener("focus", () => choose(box));
    }
    for (const card of document.querySelectorAll(".card-box")) {
      const mark = () => choose(all.find((box) => box.getAttribute("href") === `#${card.id}`));
      card.querySelector("summary").addEventListener("pointerenter", () => {
        for (const box of all) box.classList.toggle("on", box.getAttribute("href") === `#${card.id}`);
      });
      card.addEventListener("toggle", () => { if (card.open && card.contains(document.activeElement)) mark(); });
    }
    draw();
  }

  // What is stored, and the preview that was seen of this image last, in turn.
  const compare = () => {
    const stored = document.getElementById("stored");
    try {
      if (stored) sessionStorage.setItem("windmill.preview", location.href);
      const last = sessionStorage.getItem("windmill.preview");
      if (!stored && last && new URL(last).pathname === location.pathname) location.assign(last);
    } catch { /* nothing is kept then */ }
    stored?.click();
  };

  const isTyping = (event) => event.ctrlKey || event.metaKey || event.altKey ||
    event.target.matches("input:not([type=checkbox], [type=radio], [type=range]), select, textarea");
  addEventListener("keydown", (event) => {
    if (isTyping(event)) return;
    const key = event.key.toLowerCase();
    if (key === "h" && view) view.classList.add("bare");
    if (key === "j") document.querySelector("a[rel=next]")?.click();
    if (key === "k") document.querySelector("a[rel=prev]")?.click();
    if (key === "b") compare();
  });
  addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "h") view?.classList.remove("bare"); });
  addEventListener("blur", () => view?.classList.remove("bare"));
}
