// The picture of the inspector is enlarged and moved: by buttons, by + - 0, by the wheel while Ctrl is held, by a double
// click, and by dragging or arrows once it is larger than its frame.
"use strict";
{
  const view = document.getElementById("view"), picture = view?.querySelector("svg");
  const MOST = 16, STEP = 1.5, PAN = 0.15, DRAGGED = 4;

  if (picture) {
    const { width, height } = picture.viewBox.baseVal;
    const boxes = document.getElementById("boxes"), letter = Number(boxes.getAttribute("font-size"));
    let scale = 1, left = 0, above = 0, grip = null;

    const within = (value, most) => Math.min(Math.max(value, 0), most);
    const show = () => {
      const across = width / scale, down = height / scale;
      left = within(left, width - across);
      above = within(above, height - down);
      picture.setAttribute("viewBox", `${left} ${above} ${across} ${down}`);
      boxes.setAttribute("font-size", letter / scale);
      view.classList.toggle("larger", scale > 1);
      document.getElementById("zoomed").textContent = `${Math.round(scale * 100)} %`;
    };
    const middle = () => ({ x: left + width / scale / 2, y: above + height / scale / 2 });
    const placeOf = (event) =>
      new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
    const zoom = (wanted, { x, y }) => {
      const next = Math.min(Math.max(wanted, 1), MOST);
      left = x - (x - left) * scale / next;
      above = y - (y - above) * scale / next;
      scale = next;
      show();
    };
    const move = (x, y) => {
      left += x;
      above += y;
      show();
    };

    for (const button of document.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => zoom(Number(button.dataset.zoom) * (scale || 1), middle()));
    }
    document.getElementById("whole").addEventListener("click", () => zoom(1, middle()));
    picture.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? scale * STEP : scale / STEP, placeOf(event));
    }, { passive: false });
    picture.addEventListener("dblclick", (event) => zoom(scale * STEP * STEP, placeOf(event)));

    picture.addEventListener("pointerdown", (event) => {
      if (scale > 1 && event.isPrimary && event.button === 0) grip = { x: event.clientX, y: event.clientY, far: 0 };
    });
    picture.addEventListener("pointermove", (event) => {
      if (!grip) return;
      const size = picture.getScreenCTM().a, x = event.clientX - grip.x, y = event.clientY - grip.y;
      const far = grip.far + Math.abs(x) + Math.abs(y);
      if (far > DRAGGED && !picture.hasPointerCapture(event.pointerId)) picture.setPointerCapture(event.pointerId);
      grip = { x: event.clientX, y: event.clientY, far };
      move(-x / size, -y / size);
    });
    for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, () => { grip = null; });
    picture.addEventListener("dragstart", (event) => event.preventDefault());

    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
      const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.key === "+" || event.key === "=") zoom(scale * STEP, middle());
      else if (event.key === "-") zoom(scale / STEP, middle());
      else if (event.key === "0") zoom(1, middle());
      else if (scale > 1 && event.key in arrows) {
        const [x, y] = arrows[event.key];
        event.preventDefault();
        move(x * PAN * width / scale, y * PAN * height / scale);
      }
    });
    show();
  }
}
