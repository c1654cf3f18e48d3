// The window onto the picture: panning, zooming, and the small map.
const View = (() => {
  const MOST_SCALE = 4;
  const READABLE = 0.62;
  const MARGIN = 24;
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");

  const clamp = (value, least, most) => Math.max(least, Math.min(most, value));

  /** Where the picture is in the window: its corner at `x`, `y`, and how large it is. Changes are shown per frame. */
  class Camera {
    constructor(canvas, onFrame) {
      this.canvas = canvas;
      this.onFrame = onFrame;
      [this.x, this.y, this.scale] = [0, 0, 1];
      [this.pictureWidth, this.pictureHeight] = [1, 1];
      this.measure();
      this.frame = 0;
      this.moving = null;
      this.covered = () => [0, 0]; // width and height of what lies over the lower right corner
    }

    measure() {
      this.width = Math.max(this.canvas.clientWidth, 1);
      this.height = Math.max(this.canvas.clientHeight, 1);
    }

    setPicture(width, height) {
      [this.pictureWidth, this.pictureHeight] = [width, height];
    }

    /** Show the change with the next frame. */
    request() {
      if (!this.frame) this.frame = requestAnimationFrame(() => this.now());
    }

    /** Show the change at once. */
    now() {
      cancelAnimationFrame(this.frame);
      this.frame = 0;
      this.onFrame();
    }

    get fitScale() {
      return Math.min(
        (this.width - 2 * MARGIN) / this.pictureWidth, (this.height - 2 * MARGIN) / this.pictureHeight, 1.25);
    }

    get leastScale() {
      return Math.min(1, this.fitScale);
    }

    /** Keep some of the picture in the window. */
    hold() {
      const [wide, high] = [this.pictureWidth * this.scale, this.pictureHeight * this.scale];
      const [keepX, keepY] = [Math.min(80, wide), Math.min(80, high)];
      this.x = clamp(this.x, keepX - wide, this.width - keepX);
      this.y = clamp(this.y, keepY - high, this.height - keepY);
    }

    panBy(dx, dy) {
      this.stop();
      this.x += dx;
      this.y += dy;
      this.hold();
      this.request();
    }

    /** Zoom so that what is at a point of the window stays there. */
    zoomAt(factor, cx = this.width / 2, cy = this.height / 2) {
      this.stop();
      const scale = clamp(this.scale * factor, this.leastScale, MOST_SCALE);
      this.x = cx - ((cx - this.x) * scale) / this.scale;
      this.y = cy - ((cy - this.y) * scale) / this.scale;
      this.scale = scale;
      this.hold();
      this.request();
    }

    /** The whole picture in the middle of the window. */
    fit() {
      this.stop();
      this.scale = clamp(this.fitScale, this.leastScale, MOST_SCALE);
      this.x = (this.width - this.pictureWidth * this.scale) / 2;
      this.y = (this.height - this.pictureHeight * this.scale) / 2;
      this.request();
    }

    /** The whole if that can be read, else the beginning: `first` is the box to have in the middle. */
    start(first, down) {
      if (this.fitScale >= READABLE) {
        this.fit();
        return;
      }
      this.stop();
      const [room, size] = down
        ? [this.width - 2 * MARGIN, this.pictureWidth] : [this.height - 2 * MARGIN, this.pictureHeight];
      this.scale = clamp(room / size, READABLE, 1);
      const wide = size * this.scale;
      const middle = first ? (down ? first.x + first.width / 2 : first.y + first.height / 2) * this.scale : wide / 2;
      const side = wide <= room ? (room - wide) / 2 + MARGIN : (room + 2 * MARGIN) / 2 - middle;
      [this.x, this.y] = down ? [side, MARGIN] : [MARGIN, side];
      this.request();
    }

    /** Move as little as is needed to have a rectangle of the picture in the window. */
    show(item, most = 0) {
      if (this.scale < most) {
        const middle = [item.x + item.width / 2, item.y + item.height / 2];
        this.scale = most;
        [this.x, this.y] = [this.width / 2 - middle[0] * most, this.height / 2 - middle[1] * most];
      }
      const need = (start, size, room, end) => {
        const least = 40;
        if (size > end - least) return start > room - 90 || start + size < 90 || start > least ? least - start : 0;
        return start < least ? least - start : start + size > end ? end - start - size : 0;
      };
      const dx = need(this.x + item.x * this.scale, item.width * this.scale, this.width, this.width - 40);
      const dy = need(this.y + item.y * this.scale, item.height * this.scale, this.height, this.height - 64);
      const [wide, high] = this.covered();
      const right = this.x + dx + (item.x + item.width) * this.scale;
      const bottom = this.y + dy + (item.y + item.height) * this.scale;
      const under = wide > 0 && right > this.width - wide - 12 && bottom > this.height - high - 12;
      const aside = under && right - (this.width - wide - 12) < this.width / 2 ? right - (this.width - wide - 12) : 0;
      if (dx || dy || aside) this.glideTo(this.x + dx - aside, this.y + dy);
      else this.request();
    }

    /** Have a point of the picture in the middle of the window. */
    centre(px, py) {
      this.stop();
      this.x = this.width / 2 - px * this.scale;
      this.y = this.height / 2 - py * this.scale;
      this.hold();
      this.request();
    }

    glideTo(x, y) {
      this.stop();
      const far = Math.hypot(x - this.x, y - this.y) > 2 * (this.width + this.height);
      if (still.matches || far) {
        [this.x, this.y] = [x, y];
        this.request();
        return;
      }
      const [fromX, fromY, start] = [this.x, this.y, performance.now()];
      const step = (time) => {
        const part = clamp((time - start) / 160, 0, 1);
        const eased = 1 - (1 - part) ** 3;
        this.x = fromX + (x - fromX) * eased;
        this.y = fromY + (y - fromY) * eased;
        this.moving = part < 1 ? requestAnimationFrame(step) : null;
        this.now();
      };
      this.moving = requestAnimationFrame(step);
    }

    stop() {
      if (this.moving) cancelAnimationFrame(this.moving);
      this.moving = null;
    }
  }

  /** Mouse, trackpad and touch on the canvas. `onTap` gets the element and whether it was tapped twice. */
  function listen(canvas, camera, onTap) {
    const pointers = new Map();
    let start = null;
    let last = {time: 0, key: null};
    const at = (event) => {
      const bounds = canvas.getBoundingClientRect();
      return [event.clientX - bounds.left, event.clientY - bounds.top];
    };
    const pinch = () => {
      const [a, b] = [...pointers.values()];
      return {x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2, size: Math.hypot(a[0] - b[0], a[1] - b[1])};
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      pointers.set(event.pointerId, at(event));
      start = pointers.size === 1 ? {at: at(event), target: event.target, moved: false} : null;
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      if (event.pointerType === "mouse" && !event.buttons) {
        release(event);
        return;
      }
      const now = at(event);
      if (pointers.size === 2) {
        const old = pinch();
        pointers.set(event.pointerId, now);
        const fresh = pinch();
        camera.panBy(fresh.x - old.x, fresh.y - old.y);
        if (old.size > 0) camera.zoomAt(fresh.size / old.size, fresh.x, fresh.y);
        return;
      }
      if (start && !start.moved && Math.hypot(now[0] - start.at[0], now[1] - start.at[1]) > 4) {
        start.moved = true;
        canvas.setPointerCapture(event.pointerId);
        canvas.classList.add("dragging");
      }
      if (!start || start.moved) {
        camera.panBy(now[0] - before[0], now[1] - before[1]);
        pointers.set(event.pointerId, now);
      }
    });
    const release = (event) => {
      if (!pointers.delete(event.pointerId)) return;
      canvas.classList.remove("dragging");
      if (event.type === "pointerup" && start && !start.moved) {
        const holder = start.target.closest("[data-box]");
        const sign = start.target.closest(".sign");
        const key = holder && !sign ? holder.id : null;
        const twice = key !== null && key === last.key && event.timeStamp - last.time < 350;
        last = {time: twice ? 0 : event.timeStamp, key};
        onTap(start.target, twice);
      }
      start = null;
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 18 : event.deltaMode === 2 ? camera.height : 1;
      const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
      if (event.ctrlKey || event.metaKey) camera.zoomAt(Math.exp(-clamp(dy, -60, 60) * 0.01), ...at(event));
      else if (event.shiftKey && !dx) camera.panBy(-dy, 0);
      else camera.panBy(-dx, -dy);
    }, {passive: false});
  }

  /** The small map in the corner. Pictures that are very long are drawn narrower in one direction. */
  class Minimap {
    constructor(holder, camera) {
      this.holder = holder;
      this.camera = camera;
      this.paper = holder.querySelector("canvas");
      this.frame = holder.querySelector(".frame");
      const move = (event) => {
        const bounds = this.paper.getBoundingClientRect();
        camera.centre((event.clientX - bounds.left) / this.scaleX, (event.clientY - bounds.top) / this.scaleY);
      };
      holder.addEventListener("pointerdown", (event) => {
        holder.setPointerCapture(event.pointerId);
        event.preventDefault();
        move(event);
      });
      holder.addEventListener("pointermove", (event) => {
        if (holder.hasPointerCapture(event.pointerId)) move(event);
      });
    }

    /** Draw the picture anew. */
    draw(root, painter) {
      const [most, highest] = [150, Math.min(220, this.camera.height * 0.45)];
      const scale = Math.min(most / root.width, highest / root.height);
      this.width = Math.max(36, Math.round(root.width * scale));
      this.height = Math.max(36, Math.round(root.height * scale));
      [this.scaleX, this.scaleY] = [this.width / root.width, this.height / root.height];
      const ratio = Math.min(window.devicePixelRatio || 1, 2);
      [this.paper.width, this.paper.height] = [this.width * ratio, this.height * ratio];
      [this.paper.style.width, this.paper.style.height] = [`${this.width}px`, `${this.height}px`];
      const context = this.paper.getContext("2d");
      context.scale(ratio, ratio);
      for (const item of Draw.walk(root)) {
        const [fill, line] = item.open ? [painter.theme.group[0], painter.theme.groupLine] : painter.colours(item.box);
        const [x, y] = [item.x * this.scaleX, item.y * this.scaleY];
        const [width, height] = [item.width * this.scaleX, item.height * this.scaleY];
        if (item.open && height < 3) continue;
        context.fillStyle = item.open || painter.heat ? fill : line;
        context.globalAlpha = item.open ? 1 : 0.8;
        context.fillRect(x, y, Math.max(width, 0.6), Math.max(height, 0.4));
        if (item.open) {
          context.strokeStyle = line;
          context.lineWidth = 0.5;
          context.strokeRect(x, y, width, height);
        }
      }
      this.update();
    }

    /** Show where the window is; nothing if all of the picture is in it. */
    update() {
      const {x, y, scale, width, height, pictureWidth, pictureHeight} = this.camera;
      const whole = x >= -1 && y >= -1 && x + pictureWidth * scale <= width + 1 && y + pictureHeight * scale <= height + 1;
      this.holder.hidden = whole || height < 260;
      if (this.holder.hidden) return;
      const left = clamp((-x / scale) * this.scaleX, 0, this.width);
      const top = clamp((-y / scale) * this.scaleY, 0, this.height);
      const right = clamp(((width - x) / scale) * this.scaleX, 0, this.width);
      const bottom = clamp(((height - y) / scale) * this.scaleY, 0, this.height);
      this.frame.style.transform = `translate(${left}px, ${top}px)`;
      this.frame.style.width = `${Math.max(right - left, 3)}px`;
      this.frame.style.height = `${Math.max(bottom - top, 3)}px`;
    }
  }

  return {Camera, Minimap, listen, still};
})();
