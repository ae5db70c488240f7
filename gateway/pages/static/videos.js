// Boxes over the video, moved evenly between the times at which they are known, and spans that lead to their moment.
"use strict";
{
  const player = document.getElementById("player"), over = document.getElementById("over");
  const show = document.getElementById("show-boxes");
  for (const hidden of document.querySelectorAll(".needs-script")) hidden.hidden = false;

  const SVG = "http://www.w3.org/2000/svg";
  let tracks = [], marks = new Map(), letter = 20;

  const boxAt = (track, time) => {
    if (time < track.begins || time > track.ends || !track.times.length) return null;
    let after = track.times.findIndex((one) => one >= time);
    if (after === 0) return track.boxes[0];
    if (after < 0) return track.boxes.at(-1);
    const [from, to] = [track.times[after - 1], track.times[after]];
    const share = to > from ? (time - from) / (to - from) : 0;
    return track.boxes[after - 1].map((side, index) => side + (track.boxes[after][index] - side) * share);
  };

  const markOf = (track) => {
    if (!marks.has(track.track)) {
      const group = document.createElementNS(SVG, "g");
      const rect = document.createElementNS(SVG, "rect"), name = document.createElementNS(SVG, "text");
      rect.setAttribute("stroke", track.color);
      name.setAttribute("font-size", letter);
      name.textContent = `${track.label} ${track.track}`;
      group.append(rect, name);
      over.append(group);
      marks.set(track.track, group);
    }
    return marks.get(track.track);
  };

  const draw = () => {
    for (const track of tracks) {
      const box = boxAt(track, player.currentTime);
      if (!box) { marks.get(track.track)?.setAttribute("visibility", "hidden"); continue; }
      const group = markOf(track), [rect, name] = group.children;
      group.setAttribute("visibility", "visible");
      ["x", "y", "width", "height"].forEach((side, index) => rect.setAttribute(side, box[index]));
      name.setAttribute("x", box[0]);
      name.setAttribute("y", box[1] > letter * 1.3 ? box[1] - letter * .3 : box[1] + letter);
    }
  };

  const follow = () => { draw(); if (!player.paused && !player.ended) requestAnimationFrame(follow); };

  const begin = async () => {
    const answer = await fetch(player.dataset.tracks);
    if (!answer.ok) return;
    const told = await answer.json();
    tracks = told.tracks;
    letter = Math.max(told.width / 50, told.width * 12 / (player.clientWidth || told.width));
    over.setAttribute("viewBox", `0 0 ${told.width} ${told.height}`);
    over.toggleAttribute("hidden", !show.checked);
    for (const event of ["play", "seeked", "loadeddata", "timeupdate"]) player.addEventListener(event, follow);
    show.addEventListener("change", () => over.toggleAttribute("hidden", !show.checked));
    draw();
  };
  if (player?.dataset.tracks) begin();

  document.addEventListener("click", (event) => {
    const span = event.target.closest("[data-at]");
    if (!span || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    player.currentTime = Number(span.dataset.at);
    player.scrollIntoView({ block: "nearest" });
    player.play().catch(() => {});
  });
}
