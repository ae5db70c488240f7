// A talk that is heard: words light up, a line moves over the sound, and any moment is a click away. Parts of a long talk
// are fetched as it goes on. Everything can be read without this file.
"use strict";
{
  const player = document.getElementById("player"), sound = document.getElementById("sound");
  const seconds = Number(sound?.dataset.seconds ?? 0);
  let words = [], times = [], lit = null, fetching = false;
  for (const hidden of document.querySelectorAll(".needs-script")) hidden.hidden = !player;

  const collect = () => {
    words = [...document.querySelectorAll("#turns [data-t]")];
    times = words.map((word) => Number(word.dataset.t));
  };

  // The last word that has begun; none within a long silence.
  const wordAt = (time) => {
    let low = 0, high = times.length;
    while (low < high) { const middle = (low + high) >> 1; if (times[middle] <= time) low = middle + 1; else high = middle; }
    return low && time - times[low - 1] < 2 ? words[low - 1] : null;
  };

  const light = (word) => {
    if (word === lit) return;
    lit?.classList.remove("now");
    lit?.removeAttribute("aria-current");
    word?.classList.add("now");
    word?.setAttribute("aria-current", "true");
    lit = word;
  };

  const mark = () => {
    const x = seconds ? player.currentTime / seconds * 1000 : 0;
    for (const line of document.querySelectorAll("#sound .play")) line.setAttribute("transform", `translate(${x.toFixed(1)} 0)`);
    light(wordAt(player.currentTime));
  };

  // What is said at a moment that is not on the page.
  const load = async (address) => {
    if (fetching) return;
    fetching = true;
    try {
      const answer = await fetch(address);
      if (!answer.ok) return;
      const told = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of ["turns", "parts"]) {
        const came = told.getElementById(id);
        if (came) document.getElementById(id).replaceWith(came);
      }
      collect();
      mark();
    } finally { fetching = false; }
  };

  const here = () => {
    const next = document.querySelector("#parts a[rel=next]"), before = document.querySelector("#parts a[rel=prev]");
    const at = player.currentTime;
    if ((next && at > times.at(-1) + 1) || (before && at < times[0] - 1)) load(`${location.pathname}?at=${at.toFixed(2)}`);
  };

  const go = (time) => { player.currentTime = Math.min(Math.max(time, 0), seconds || player.duration || 0); };
  const follow = () => { mark(); if (!player.paused && !player.ended) requestAnimationFrame(follow); };

  if (player) {
    collect();
    for (const event of ["play", "seeked", "timeupdate", "loadedmetadata"]) player.addEventListener(event, () => { follow(); here(); });
    if (sound.dataset.begin) player.addEventListener("loadedmetadata", () => go(Number(sound.dataset.begin)), { once: true });

    document.addEventListener("click", (event) => {
      const link = event.target.closest("[data-at]"), word = event.target.closest("#turns [data-t]");
      const drawing = event.target.closest("#sound svg.t");
      if (event.ctrlKey || event.metaKey || !(link || word || drawing)) return;
      if (link) event.preventDefault();
      const box = drawing?.getBoundingClientRect();
      go(link ? Number(link.dataset.at) : word ? Number(word.dataset.t) : (event.clientX - box.left) / box.width * seconds);
      if (link || word) player.play().catch(() => {});
    });

    document.addEventListener("keydown", (event) => {
      const busy = event.target.closest("input, select, textarea, button, summary, audio, a, dialog");
      if (busy || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === " ") { event.preventDefault(); if (player.paused) player.play().catch(() => {}); else player.pause(); }
      if (event.key === "ArrowLeft") go(player.currentTime - 5);
      if (event.key === "ArrowRight") go(player.currentTime + 5);
    });
  }

  // Who claimed a voice is named wherever it is; what was heard anew is shown at once, unless somebody listens or writes.
  document.addEventListener("windmill:changed", () => {
    for (const card of document.querySelectorAll("[data-speaker]")) {
      for (const name of document.querySelectorAll(`[data-who="${card.dataset.speaker}"]`)) name.textContent = card.dataset.name;
    }
    const busy = (player && !player.paused) || document.querySelector("details.pop[open]");
    if (document.querySelector("[data-again]") && !busy) location.reload();
  });
}
