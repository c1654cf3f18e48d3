// Boxes, frames and wires as SVG elements in the look of `paint.py`, and the scene: those of them that are in view.
const Draw = (() => {
  const {PAD, HEADER, LINE, BOX_PAD, STACK, SMALL, sizeOf, tenth, rounded} = Layout;
  const SVG = "http://www.w3.org/2000/svg";
  const ASCENT = 0.72;
  const CHANGES = {derived: "other shape or cost"};
  const HEATS = {params: "params", macs: "MACs", memory: "of output"};
  const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
  const TEXT_SCALE = 0.22;
  const INSIDE_PIXELS = 14;

  /** Text without what XML cannot hold. */
  const clean = (text) => text.replace(FORBIDDEN, "\ufffd");

  /** An SVG element. */
  function element(name, attributes, ...children) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) made.setAttribute(key, typeof value === "number" ? tenth(value) : value);
    }
    made.append(...children);
    return made;
  }

  // Numbers and colours.

  /** A count in three digits: 269722 is 270k. */
  function short(number) {
    for (const [power, unit] of [[9, "G"], [6, "M"], [3, "k"]]) {
      const value = Number(number.toExponential(2)) / 10 ** power;
      if (value >= 1) return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0) + unit;
    }
    return String(number);
  }

  /** Bytes as people read them: 12 B, 3.4 KiB. */
  function bytes(number) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (unit < units.length - 1 && number >= 1024 ** (unit + 1)) unit++;
    return `${grouped(number / 1024 ** unit, Math.min(unit, 1))} ${units[unit]}`;
  }

  /** A number with commas between thousands. */
  const grouped = (number, digits = 0) =>
    number.toLocaleString("en-US", {minimumFractionDigits: digits, maximumFractionDigits: digits});

  const channels = (colour) => [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));

  /** Relative luminance, as WCAG 2.1 has it: white reads as well as black where it is 0.179. */
  function luminance(colour) {
    const parts = channels(colour).map((channel) => channel / 255);
    const [red, green, blue] = parts.map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  /** The colour of a part of the most, from 0 to 1. */
  function heatColour(theme, part) {
    const place = Math.max(0, Math.min(1, part)) * (theme.heat.length - 1);
    const low = Math.min(Math.floor(place), theme.heat.length - 2);
    const [one, two] = [channels(theme.heat[low]), channels(theme.heat[low + 1])];
    return "#" + one.map((a, k) => rounded(a + (two[k] - a) * (place - low)).toString(16).padStart(2, "0")).join("");
  }

  // Painting.

  /** Makes the elements of one picture in one look. */
  class Painter {
    constructor(network, themeName, heat, closed, {exact = false, shapes = false} = {}) {
      this.network = network;
      this.theme = network.data.themes[themeName];
      this.comparing = network.data.comparing;
      this.heat = this.comparing ? "" : heat;
      this.closed = closed;
      this.exact = exact;
      this.shapes = shapes;
      this.most = this.heat ? closed.reduce((most, item) => Math.max(most, this.heatOf(item.box)), 0) : 0;
    }

    heatOf(box) {
      return box.kind[this.heat] ?? 0;
    }

    hasCost(box) {
      return box.kind.kind !== "input" && box.kind.kind !== "output";
    }

    /** Text that starts at, or is centred on, a point; in an export it is given the width it was measured to have. */
    text(x, y, text, size, fill, anchor) {
      const made = element("text", {
        x, y: y + (size * ASCENT) / 2, "font-size": size, fill,
        "text-anchor": anchor === "middle" ? "middle" : null,
        textLength: this.exact && text.length > 1 ? this.network.font.width(text, size) : null,
      });
      made.textContent = clean(text);
      return made;
    }

    rectangle(x, y, width, height, fill, line, round, dashed, thick = 1) {
      return element("rect", {
        x, y, width, height, rx: round, fill, stroke: line,
        "stroke-width": thick === 1 ? null : thick,
        "stroke-dasharray": dashed ? "4 3" : null,
      });
    }

    /** The sheets behind a fold: it stands for several. */
    stack(item, fill, line) {
      if (!item.box.isFold || item.box.unfolded) return [];
      const {width, height, box} = item;
      return [2, 1].map((k) => this.rectangle(k * STACK, k * STACK, width, height, fill, line, 4, box.kind.training));
    }

    colours(box) {
      if (this.comparing) return this.theme.changes[box.kind.change || "same"];
      if (this.heat && this.hasCost(box)) {
        const part = this.most ? this.heatOf(box) / this.most : 0;
        return [heatColour(this.theme, Math.sqrt(part)), this.theme.groupLine];
      }
      return this.theme.families[box.kind.family];
    }

    ink(role, fill, box) {
      if (this.heat && this.hasCost(box)) return luminance(fill) < 0.179 ? "#ffffff" : "#000000";
      return role === "name" || role === "change" ? this.theme.text : this.theme.muted;
    }

    /** The frame of an open group, with its header. */
    frame(item, detail) {
      const {box, width, height, depth} = item;
      const {theme} = this;
      const change = this.comparing ? box.kind.change : "";
      const line = change === "added" || change === "removed" ? theme.changes[change][1] : theme.groupLine;
      const fill = theme.group[(depth - 1) % 2];
      const made = element("g", {class: "frame", transform: `translate(${tenth(item.x)} ${tenth(item.y)})`});
      made.append(...this.stack(item, fill, line));
      made.append(this.rectangle(0, 0, width, height, fill, line, 5, box.kind.training));
      const bar = element("g", {"data-part": "header"});
      bar.append(this.rectangle(0.5, 0.5, width - 1, HEADER - 0.5, theme.header, null, 4.5, false));
      let at = PAD;
      for (const [text, role] of detail ? this.network.header(box) : []) {
        const ink = role === "name" ? theme.text : theme.muted;
        bar.append(this.text(at, HEADER / 2, text, sizeOf(role), ink, "start"));
        at += this.network.font.width(text, sizeOf(role)) + 8;
      }
      made.append(bar);
      return made;
    }

    /** A closed box with its lines of text. */
    box(item, detail) {
      const {box, width, height} = item;
      const [fill, line] = this.colours(box);
      const pill = box.kind.kind === "input" || box.kind.kind === "output";
      const made = element("g", {class: "box", transform: `translate(${tenth(item.x)} ${tenth(item.y)})`});
      made.append(...this.stack(item, fill, line));
      made.append(this.rectangle(0, 0, width, height, fill, line, pill ? 12 : 4, box.kind.training));
      if (!detail) return made;
      if (box.isGroup) made.append(this.rectangle(2.5, 2.5, width - 5, height - 5, "none", line, 2.5, false, 0.6));
      this.network.lines(box).forEach(([text, role], number) => {
        const y = BOX_PAD[1] + LINE * (number + 0.5);
        made.append(this.text(width / 2, y, text, sizeOf(role), this.ink(role, fill, box), "middle"));
      });
      return made;
    }

    wire(route) {
      const known = this.theme.changes[route.mark];
      const colour = known ? known[1] : this.theme.wire;
      const made = element("g", {class: known ? "wire marked" : "wire"});
      made.append(element("path", {
        d: Layout.pathText(route), fill: "none", stroke: colour, "stroke-width": "1.2",
        "stroke-dasharray": route.dashed || route.mark === "removed" ? "4 3" : null,
      }));
      if (route.arrow) made.append(element("path", {d: Layout.arrowText(route), fill: colour, class: "head"}));
      return made;
    }

    /** The wires of a group that say what flows: one of each value that leaves a box, none on another's label. */
    labelled(group) {
      const taken = [];
      const said = new Set();
      return new Set(group.routes.filter((route) => {
        const key = route.source && route.target ? `${route.source.box.number}:${route.value}` : "";
        if (!key || said.has(key)) return false;
        const [x, y] = this.labelAt(route);
        const right = x + this.network.font.width(this.network.shape(route.value), SMALL);
        said.add(key);
        if (taken.some(([least, most, height]) => x <= most && right >= least && Math.abs(y - height) <= SMALL)) return false;
        taken.push([x, right, y]);
        return true;
      }));
    }

    labelAt(route) {
      const [x, y] = route.points[0];
      return route.down ? [x + 5, y + 9] : [x + 5, y - 7];
    }

    /** What flows along a wire. */
    label(route) {
      const [x, y] = this.labelAt(route);
      const made = this.text(x, y, this.network.shape(route.value), SMALL, this.theme.muted, "start");
      const halo = {stroke: this.theme.background, "stroke-width": 2.5, "paint-order": "stroke"};
      for (const [name, value] of Object.entries(halo)) made.setAttribute(name, value);
      return made;
    }

    /** Fill, outline and name of everything that colours mean here. */
    legend() {
      const {theme} = this;
      if (this.comparing) {
        const found = new Set(this.closed.map((item) => item.box.kind.change || "same"));
        return Object.entries(theme.changes).filter(([name]) => found.has(name))
          .map(([name, pair]) => [...pair, CHANGES[name] ?? name]);
      }
      if (this.heat) {
        return [0, 0.25, 0.5, 0.75, 1].map((part) => {
          const value = part * part * this.most;
          const text = this.heat === "memory" ? bytes(value) : short(rounded(value));
          return [heatColour(theme, part), theme.groupLine, text + (part === 1 ? ` ${HEATS[this.heat]}` : "")];
        });
      }
      const found = new Set(this.closed.map((item) => item.box.kind.family));
      for (const name of ["input", "output", "group"]) found.delete(name);
      return Object.entries(theme.families).filter(([name]) => found.has(name)).map(([name, pair]) => [...pair, name]);
    }
  }

  /** Every item of a picture but the whole, from the back to the front. */
  function* walk(item) {
    for (const child of item.items) {
      yield child;
      yield* walk(child);
    }
  }

  /** The whole picture as an SVG document: what is in view and what is not, with title and legend. */
  function documentOf(network, root, themeName, heat, fontFace = "", way = null, shapes = false) {
    const MARGIN = 16;
    const TITLE = 15;
    const closed = [...walk(root)].filter((item) => !item.open);
    const painter = new Painter(network, themeName, heat, closed, {exact: true, shapes});
    const {theme} = painter;
    const {title, subtitle} = network.data;
    const legend = painter.legend();
    const legendWidth = legend.reduce((sum, [, , name]) => sum + network.font.width(name, SMALL) + 30, 0);
    const inside = Math.max(root.width, network.font.width(title, TITLE), network.font.width(subtitle, 11));
    const width = Math.max(inside, Math.min(legendWidth, 420)) + 2 * MARGIN;
    const top = MARGIN + 2 * TITLE + 14;
    const made = element("svg", {width, "font-family": network.font.family, role: "img"});
    made.append(element("title", {}, clean(title)), element("desc", {}, clean(subtitle)));
    if (fontFace) made.append(element("style", {}, fontFace));
    const back = made.appendChild(element("rect", {x: 0, y: 0, width, fill: theme.background}));
    const left = (width - inside) / 2;
    made.append(painter.text(left, MARGIN + TITLE / 2, title, TITLE, theme.text, "start"));
    made.append(painter.text(left, MARGIN + TITLE * 1.8, subtitle, 11, theme.muted, "start"));
    const world = made.appendChild(element("g", {transform: `translate(${tenth((width - root.width) / 2)} ${tenth(top)})`}));
    const inGroup = (group) => {
      for (const route of group.routes) world.append(dimmed(painter.wire(route), way && !way.routes.has(route)));
      for (const item of group.items) {
        const box = item.open ? painter.frame(item, true) : painter.box(item, true);
        world.append(dimmed(box, way && !way.items.has(item)));
        if (item.open) inGroup(item);
      }
      for (const route of shapes ? painter.labelled(group) : []) world.append(painter.label(route));
    };
    inGroup(root);
    let [x, y] = [MARGIN, top + root.height + MARGIN + 4];
    for (const [fill, line, name] of legend) {
      const wide = network.font.width(name, SMALL) + 30;
      if (x + wide > width - MARGIN + 12 && x > MARGIN) [x, y] = [MARGIN, y + 16];
      made.append(painter.rectangle(x, y + 2, 10, 10, fill, line, 2, false));
      made.append(painter.text(x + 15, y + 7, name, SMALL, theme.muted, "start"));
      x += wide;
    }
    const height = legend.length ? y + 14 + MARGIN : top + root.height + MARGIN;
    for (const whole of [made, back]) whole.setAttribute("height", tenth(height));
    made.setAttribute("viewBox", `0 0 ${tenth(width)} ${tenth(height)}`);
    for (const marked of made.querySelectorAll("[class],[data-part]")) {
      marked.removeAttribute("class");
      marked.removeAttribute("data-part");
    }
    return {svg: made, width, height};
  }

  /** An element, pale if it is not on the way that alone is shown. */
  function dimmed(made, pale) {
    if (pale) made.setAttribute("opacity", "0.2");
    return made;
  }

  // The scene.

  /** Keeps the elements that are in view, and near it, in an SVG element, and moves them all by one transform. */
  class Scene {
    constructor(svg, network) {
      this.svg = svg;
      this.network = network;
      this.world = svg.appendChild(element("g", {class: "world"}));
      this.held = new Map();
      this.region = null;
      this.detail = true;
      this.marks = {selected: null, hit: null, hits: new Set(), way: null};
    }

    /** Show a picture. `fresh` if the look has changed too; else elements that only moved are kept. */
    show(root, painter, fresh) {
      this.root = root;
      this.painter = painter;
      this.items = [...walk(root)];
      this.itemOf = new Map(this.items.map((item) => [item.box, item]));
      this.region = null;
      for (const [key, held] of this.held) {
        const item = fresh || !held.item ? null : this.itemOf.get(held.item.box);
        if (item && !item.open && !held.item.open && item.width === held.item.width) {
          held.was = held.item;
          held.item = item;
          held.element.setAttribute("transform", `translate(${tenth(item.x)} ${tenth(item.y)})`);
        } else {
          held.element.remove();
          this.held.delete(key);
        }
      }
    }

    /** Move the picture, and draw what has come near the view: `x`, `y` is where its corner is in the window. */
    look(x, y, scale, width, height) {
      this.world.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
      const view = {left: -x / scale, top: -y / scale, right: (width - x) / scale, bottom: (height - y) / scale};
      const region = this.region;
      const inside = region && view.left >= region.left && view.top >= region.top && view.right <= region.right &&
        view.bottom <= region.bottom && scale < 2.5 * region.scale && scale > 0.4 * region.scale;
      if (inside && scale >= TEXT_SCALE === this.detail) return;
      const [wide, high] = [(0.6 * width) / scale, (0.6 * height) / scale];
      this.region = {
        left: view.left - wide, top: view.top - high, right: view.right + wide, bottom: view.bottom + high, scale,
      };
      this.detail = scale >= TEXT_SCALE;
      this.svg.classList.toggle("far", !this.detail);
      this.cull();
    }

    /** Have an element for everything in the region, in the order in which it is painted. */
    cull() {
      const wanted = new Map();
      this.collect(this.root, wanted);
      for (const [key, held] of this.held) {
        const want = wanted.get(key);
        if (!want || held.detail !== this.detail) {
          held.element.remove();
          this.held.delete(key);
        }
      }
      let next = this.world.firstChild;
      for (const [key, [thing, make]] of wanted) {
        let held = this.held.get(key);
        if (!held) {
          held = {element: make(), item: thing.box ? thing : null, route: thing.box ? null : thing, detail: this.detail};
          this.held.set(key, held);
          if (held.item) this.dress(held);
          this.mark(held);
        }
        if (held.element === next) next = next.nextSibling;
        else this.world.insertBefore(held.element, next);
      }
    }

    collect(group, wanted) {
      const {left, top, right, bottom, scale} = this.region;
      const near = (x1, y1, x2, y2) => x2 >= left && x1 <= right && y2 >= top && y1 <= bottom;
      const labelled = this.painter.shapes ? this.painter.labelled(group) : null;
      group.routes.forEach((route, number) => {
        const bounds = boundsOf(route);
        if (near(...bounds)) wanted.set(`w${group.box.number}:${number}`, [route, () => this.wire(route, labelled)]);
      });
      for (const item of group.items) {
        const {x, y, width, height, box} = item;
        if (!near(x - 15, y - 15, x + width + 15, y + height + 15)) continue;
        const most = Math.max(width, height) * scale;
        if (item.open) {
          wanted.set(`f${box.number}`, [item, () => this.painter.frame(item, this.detail)]);
          if (most >= INSIDE_PIXELS) this.collect(item, wanted);
        } else if (most >= 1.2) {
          wanted.set(`b${box.number}`, [item, () => this.painter.box(item, this.detail)]);
        }
      }
    }

    /** What only the page has at a box: its name for screen readers, and the signs to open and unfold it. */
    dress(held) {
      const {element: made, item} = held;
      const {box} = item;
      const opens = this.network.canOpen(box);
      made.id = `box-${box.number}`;
      made.setAttribute("data-box", box.number);
      made.setAttribute("role", opens ? "button" : "img");
      made.setAttribute("aria-label", spoken(this.network, box));
      if (opens) made.setAttribute("aria-expanded", String(item.open));
      if (!held.detail) return;
      if (opens) {
        made.append(element("g", {class: "sign", "data-part": "sign"},
          element("circle", {r: 9, class: "touch"}),
          element("circle", {r: 6}),
          element("path", {d: item.open ? "M-3 0H3" : "M-3 0H3M0 -3V3"})));
      }
      if (this.network.canUnfold(box) && (box.unfolded || this.network.canOpen(box.children[0]))) {
        const text = box.unfolded ? "fold" : `all ${box.kind.count}`;
        const wide = this.network.font.width(text, 9) + 10;
        const label = element("text", {x: wide / 2, y: 3.2, "font-size": 9, "text-anchor": "middle"});
        label.textContent = text;
        made.append(element("g", {class: "sign", "data-part": "unfold", transform: `translate(${tenth(item.width - wide + 4)} -7)`},
          element("rect", {x: 0, y: -6.5, width: wide, height: 13, rx: 6.5}), label));
      }
    }

    /** Show at an element whether it is selected, found, or on the way. */
    mark(held) {
      const {selected, hit, hits, way, dim} = this.marks;
      const {element: made, item, route} = held;
      if (item) {
        made.classList.toggle("selected", item.box === selected);
        made.classList.toggle("hit", hits.has(item.box));
        made.classList.toggle("current", item.box === hit);
        made.classList.toggle("dim", Boolean(dim && way && !way.items.has(item)));
      } else {
        made.classList.toggle("way", Boolean(way && way.routes.has(route)));
        made.classList.toggle("dim", Boolean(dim && way && !way.routes.has(route)));
      }
    }

    /** Take over new marks. */
    /** A wire that is easy to point at. */
    wire(route, labelled) {
      const made = this.painter.wire(route);
      made.prepend(element("path", {d: Layout.pathText(route), fill: "none", class: "touch"}));
      if (this.painter.shapes && this.detail && labelled.has(route)) made.append(this.painter.label(route));
      return made;
    }

    setMarks(marks) {
      this.marks = marks;
      for (const held of this.held.values()) this.mark(held);
    }

    /** Let what has moved glide to its place, and what is new appear. */
    glide(shiftX, shiftY, milliseconds) {
      if (this.held.size > 600) return;
      const timing = {duration: milliseconds, easing: "ease-out"};
      for (const held of this.held.values()) {
        const {element: made, was, item} = held;
        if (was) {
          const from = `translate(${was.x + shiftX}px, ${was.y + shiftY}px)`;
          made.animate([{transform: from}, {transform: `translate(${item.x}px, ${item.y}px)`}], timing);
        } else {
          made.animate([{opacity: 0}, {opacity: 1}], timing);
        }
        held.was = null;
      }
    }
  }

  /** The smallest rectangle around a route: left, top, right, bottom. */
  function boundsOf(route) {
    if (!route.bounds) {
      const xs = route.points.map(([x]) => x);
      const ys = route.points.map(([, y]) => y);
      route.bounds = [Math.min(...xs) - 4, Math.min(...ys) - 4, Math.max(...xs) + 4, Math.max(...ys) + 4];
    }
    return route.bounds;
  }

  /** What a screen reader says of a box. */
  function spoken(network, box) {
    const texts = [box.label, ...(box.kind.lines ?? []).map(([text]) => text)];
    if (box.isGroup) texts.push(box.isFold ? `${box.kind.count} copies` : `group of ${box.children.length}`);
    if (box.kind.training) texts.push("in training only");
    return clean(texts.join(", "));
  }

  return {CHANGES, Painter, Scene, documentOf, element, walk, short, bytes, grouped, clean, spoken};
})();
