// The page: what is open, selected and found, and what buttons and keys do.
(() => {
  const find = (id) => document.getElementById(id);
  const {make} = Panel;
  const data = JSON.parse(find("data").textContent);
  const network = new Layout.Network(data);
  const GLIDE = 180;
  const NARROW = window.matchMedia("(max-width: 640px)");
  const KEYS = [
    ["Tab, Enter", "go to the diagram, from the top of the page"],
    ["Home, End", "the first box, the last"],
    ["↑ ↓ ← →", "follow the wires, and go to the side; move the picture while nothing is selected"],
    ["Shift + ↑ ↓", "the group around, the first box inside"],
    ["Enter, Space", "open or close the selected group"],
    ["Esc", "select nothing"],
    ["/", "search; Enter and Shift + Enter lead to the next and the one before"],
    ["u", "show every copy of a repeated block"],
    ["w", "show only the way through the selection"],
    ["e, c", "open all, close all"],
    ["[ ]", "one level less, one more"],
    ["f, 0", "all of the picture"],
    ["+ −", "larger, smaller; so do Ctrl and the wheel, and two fingers"],
    ["double click", "open or close a group"],
    ["i", "panel of the selected box"],
    ["h", "next heat map"],
    ["s", "shapes on the wires"],
    ["t, d", "theme, direction"],
    ["?", "this list"],
  ];

  const state = {
    theme: data.theme in data.themes ? data.theme : "light",
    down: data.down,
    depth: Math.min(data.depth, network.deepest),
    heat: data.comparing ? "" : data.heat,
    selected: null,
    wayOnly: false,
    byHand: false,
    shapes: Boolean(data.shapes),
    panel: true,
    query: "",
    hits: [],
    hit: -1,
  };
  const canvas = find("canvas");
  const scene = new Draw.Scene(find("scene"), network);
  const layouter = new Layout.Layouter(network, state.down);
  const camera = new View.Camera(canvas, frame);
  const minimap = new View.Minimap(find("map"), camera);
  let root = null;
  let painter = null;
  let graph = null;
  let waiting = 0;
  const trail = new Map();

  /** One frame: put the picture where the camera has it. */
  function frame() {
    scene.look(camera.x, camera.y, camera.scale, camera.width, camera.height);
    minimap.update();
    find("scale").textContent = `${Math.round(camera.scale * 100) || "<1"}%`;
  }

  /** Tell what has happened: in the line at the foot, and to screen readers. */
  function say(text) {
    find("status").textContent = Draw.clean(text);
  }

  // Laying out.

  /** Lay out what is open and draw it. What `anchor` shows stays where it is in the window. */
  function relayout({anchor = null, fresh = false} = {}) {
    const before = anchor && root ? shownItem(anchor) : null;
    root = layouter.place();
    graph = null;
    camera.setPicture(root.width, root.height);
    repaint(fresh);
    if (before) {
      const after = shownItem(anchor);
      const [oldX, oldY] = [camera.x, camera.y];
      camera.x += (before.x - after.x) * camera.scale;
      camera.y += (before.y - after.y) * camera.scale;
      camera.hold();
      camera.now();
      if (!View.still.matches) {
        scene.glide((oldX - camera.x) / camera.scale, (oldY - camera.y) / camera.scale, GLIDE);
      }
    }
    if (state.selected) {
      const item = shownItem(state.selected);
      if (item && item.box !== state.selected) select(item.box, {quiet: true});
      else refresh();
    }
    controls();
  }

  /** Draw what is laid out; `fresh` if colours have changed too. */
  function repaint(fresh) {
    const closed = [...Draw.walk(root)].filter((item) => !item.open);
    painter = new Draw.Painter(network, state.theme, state.heat, closed, {shapes: state.shapes});
    scene.show(root, painter, fresh);
    minimap.draw(root, painter);
    legend();
    mark();
    camera.request();
  }

  /** The item that shows a box: its own, or that of what it is in. */
  function shownItem(box) {
    for (let at = box; at; at = at.parent) {
      const item = scene.itemOf.get(at);
      if (item) return item;
    }
    return null;
  }

  function legend() {
    const holder = find("legend");
    holder.replaceChildren(...painter.legend().map(([fill, line, name]) => {
      const patch = make("i");
      [patch.style.background, patch.style.borderColor] = [fill, line];
      return make("span", {}, patch, name);
    }));
  }

  /** Bring buttons in line with the state. */
  function controls() {
    find("depth").textContent = `${state.byHand ? "–" : state.depth} / ${network.deepest}`;
    find("shallower").disabled = state.depth <= 1 && !state.byHand;
    find("deeper").disabled = state.depth >= network.deepest && !state.byHand;
    find("copies").setAttribute("aria-pressed", String(folds.length > 0 && folds.every((box) => box.unfolded)));
    find("way").setAttribute("aria-pressed", String(state.wayOnly));
    find("details").setAttribute("aria-pressed", String(!find("panel").hidden));
    find("heat").value = state.heat;
    const closed = scene.items.filter((item) => !item.open).length;
    find("shown").textContent = `${Draw.grouped(closed)} of ${Draw.grouped(leaves)} boxes`;
  }

  const folds = network.boxes.filter((box) => network.canUnfold(box));
  const leaves = network.boxes.filter((box) => !box.isGroup).length;

  // Opening and closing.

  function toggle(box) {
    if (!network.canOpen(box)) return;
    setOpen(box, !network.isOpen(box));
  }

  function setOpen(box, open) {
    network.setOpen(box, open);
    state.byHand = true;
    layouter.changed(box);
    relayout({anchor: box});
    const count = network.shown(box).children.length;
    say(open ? `${box.name} opened, ${count} boxes` : `${box.name} closed`);
  }

  /** Draw all copies of a fold, or one for all. */
  function unfold(box, unfolded = !box.unfolded) {
    if (!network.canUnfold(box)) return;
    box.unfolded = unfolded;
    layouter.changed(box);
    relayout({anchor: box});
    say(unfolded ? `${box.name}: all ${box.kind.count} copies` : `${box.name}: one for ${box.kind.count} copies`);
  }

  function unfoldAll(unfolded) {
    for (const box of folds) box.unfolded = unfolded;
    layouter.clear();
    relayout({anchor: anchorBox()});
    say(unfolded ? "Every copy of repeated blocks is shown" : "Repeated blocks are folded");
  }

  function setDepth(depth) {
    state.depth = Math.max(1, Math.min(network.deepest, depth));
    state.byHand = false;
    network.setDepth(state.depth);
    layouter.clear();
    relayout({anchor: anchorBox()});
    const closed = scene.items.filter((item) => !item.open).length;
    say(`${state.depth} of ${network.deepest} levels open, ${Draw.grouped(closed)} boxes`);
  }

  /** What is to stay in place when much changes: the selected box, or the first at the top of the window. */
  function anchorBox() {
    if (state.selected) return state.selected;
    const top = root.items.find((item) => {
      const [x, y] = [camera.x + (item.x + item.width) * camera.scale, camera.y + (item.y + item.height) * camera.scale];
      return (state.down ? y : x) > 40;
    });
    return top ? top.box : null;
  }

  /** Open what a box is in. */
  function reveal(box) {
    const way = [];
    for (let at = box; at; at = at.parent) way.unshift(at);
    let opened = false;
    way.slice(0, -1).forEach((at, k) => {
      if (at === network.root) return;
      const [child, last] = [way[k + 1], k + 2 === way.length];
      if (at.isFold && !at.unfolded) {
        const first = at.children[0];
        if (child !== first) at.unfolded = true;
        else if (last) return;
        else first.open = true;
        opened = true;
      } else if (!at.isFold && !at.open && network.canOpen(at)) {
        at.open = true;
        opened = true;
      }
    });
    if (opened) {
      state.byHand = true;
      layouter.changed(box);
      relayout();
    }
  }

  // Selecting.

  /** Select a box, or nothing. By a tap, the panel waits for a second tap, which it would hide the box from. */
  function select(box, {quiet = false, show = true, tapped = false} = {}) {
    state.selected = box;
    if (!box) state.wayOnly = false;
    if (tapped && box && network.canOpen(box)) {
      mark();
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        refresh();
        camera.show(shownItem(state.selected));
      }, 350);
      show = false;
    } else {
      refresh();
    }
    if (!box) {
      if (!quiet) say("Nothing selected");
      return;
    }
    const item = shownItem(box);
    canvas.setAttribute("aria-activedescendant", `box-${item.box.number}`);
    if (show && !quiet) camera.show(item, !tapped && camera.scale < 0.15 ? 0.62 : 0);
    if (!quiet) say(Draw.spoken(network, box));
  }

  /** Open what a box is in, select it and have it in the window. */
  function go(box) {
    reveal(box);
    const item = shownItem(box);
    select(item.box, {show: false});
    camera.show(item, camera.scale < 0.5 ? 0.8 : 0);
  }

  /** Bring panel and marks in line with the selection. */
  function refresh() {
    clearTimeout(waiting);
    const holder = find("panel");
    const box = state.selected;
    const focused = holder.contains(document.activeElement) ? document.activeElement.textContent : null;
    const hidden = !box || !state.panel;
    if (!box) canvas.removeAttribute("aria-activedescendant");
    if (!hidden) {
      Panel.fill(holder, network, box, state, {
        close: () => setPanel(false),
        toggle: () => toggle(box),
        unfold: () => unfold(box),
        way: () => setWayOnly(!state.wayOnly),
        go,
      });
    }
    if (focused !== null) {
      const again = hidden ? null : [...holder.querySelectorAll(".tools button")].find((one) => one.textContent === focused);
      (again ?? canvas).focus({preventScroll: true});
    }
    if (holder.hidden !== hidden) {
      holder.hidden = hidden;
      camera.measure();
    }
    mark();
    controls();
  }

  /** Show what is selected, found, and on the way. */
  function mark() {
    const item = state.selected ? scene.itemOf.get(state.selected) : null;
    if (item && !graph) graph = new Reach.Graph(root);
    const shown = (box) => shownItem(box)?.box;
    scene.setMarks({
      selected: state.selected,
      hits: new Set(state.hits.map(shown)),
      hit: state.hit >= 0 ? shown(state.hits[state.hit]) : null,
      way: item ? graph.through(item) : null,
      dim: state.wayOnly,
    });
  }

  function setPanel(shown) {
    state.panel = shown;
    refresh();
    if (!shown) canvas.focus({preventScroll: true});
    camera.request();
  }

  function togglePanel() {
    if (state.selected) setPanel(find("panel").hidden);
    else say("Select a box to see its panel");
  }

  function setWayOnly(only) {
    if (only && !state.selected) {
      say("Select a box first");
      return;
    }
    state.wayOnly = only;
    refresh();
    say(only ? `Only the way through ${state.selected.name}` : "All of the network");
  }

  // Walking along the wires.

  const middle = (item) => (state.down ? item.x + item.width / 2 : item.y + item.height / 2);

  const depthOf = (item) => (state.down ? item.y + item.height / 2 : item.x + item.width / 2);

  const nearest = (items, to, along) => {
    const far = (item) => Math.abs(along(item) - along(to));
    return items.reduce((best, item) => (best && far(best) <= far(item) ? best : item), null);
  };

  const closedIn = (item) => (item.open ? [...Draw.walk(item)].filter((inner) => !inner.open) : [item]);

  /** The next box to the side: in the row of the same group, or of a group around it. */
  function beside(item, step) {
    for (let at = item; at.parent; at = at.parent) {
      const group = at.parent;
      const plan = network.plans[network.shown(group.box).kind.plan];
      const own = group.items.indexOf(at);
      const row = plan.rows[plan.rowOf.get(own)].filter((vertex) => vertex < plan.children);
      const next = group.items[row[row.indexOf(own) + step]];
      if (next) return nearest(closedIn(next), item, depthOf);
    }
    return null;
  }

  function walk(direction) {
    const item = scene.itemOf.get(state.selected);
    graph = graph ?? new Reach.Graph(root);
    let next = null;
    if (direction === "up" || direction === "down") {
      const nexts = graph.next(item, direction);
      next = nexts.find(({box}) => box === trail.get(item.box)?.[direction]) ?? nearest(nexts, item, middle);
      const back = direction === "up" ? "down" : "up";
      if (next) trail.set(next.box, {...trail.get(next.box), [back]: item.box});
    } else {
      next = beside(item, direction === "left" ? -1 : 1);
    }
    if (next) select(next.box);
    else say(`${state.selected.name}: nothing ${{up: "before", down: "after"}[direction] ?? "beside"} it`);
  }

  const ARROWS = {ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0]};

  function arrow(key, shift) {
    const [dx, dy] = ARROWS[key];
    const item = state.selected ? scene.itemOf.get(state.selected) : null;
    if (!item) {
      camera.panBy(-60 * dx, -60 * dy);
    } else if (shift) {
      const inner = dy > 0 ? closedIn(item)[0] : null;
      const outer = dy < 0 && item.parent !== root ? item.parent : null;
      const next = inner && inner !== item ? inner : outer;
      if (next) select(next.box);
    } else {
      const names = {ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right"};
      const turned = {ArrowUp: "left", ArrowDown: "right", ArrowLeft: "up", ArrowRight: "down"};
      walk((state.down ? names : turned)[key]);
    }
  }

  // Looks.

  function setTheme(theme) {
    state.theme = theme;
    document.documentElement.dataset.theme = theme;
    repaint(true);
    refresh();
    say(`${theme === "dark" ? "Dark" : "Light"} colours`);
  }

  function setDirection(down) {
    const anchor = anchorBox();
    state.down = layouter.down = down;
    layouter.clear();
    relayout({fresh: true});
    if (anchor) camera.centre(...centreOf(shownItem(anchor)));
    else start();
    say(down ? "Reads from top to bottom" : "Reads from left to right");
  }

  function setShapes(shown) {
    state.shapes = shown;
    repaint(true);
    say(shown ? "Wires say what flows" : "Wires say nothing");
  }

  const centreOf = (item) => [item.x + item.width / 2, item.y + item.height / 2];

  function setHeat(heat) {
    state.heat = data.comparing ? "" : heat;
    repaint(true);
    controls();
    if (data.comparing) say("A comparison has its own colours");
    else say(heat ? `Colours show ${heat === "macs" ? "MACs" : heat}` : "Colours show kinds of layers");
  }

  function start() {
    camera.start(root.items[0] ?? null, state.down);
  }

  // Search.

  const MOST_HITS = 100;

  function search(query) {
    state.query = query;
    state.hits = Search.find(network, query);
    state.hit = -1;
    listHits();
    mark();
    if (query.trim()) say(state.hits.length === 1 ? "1 box found" : `${Draw.grouped(state.hits.length)} boxes found`);
  }

  function listHits() {
    const list = find("hits");
    const input = find("query");
    const shown = state.hits.slice(0, MOST_HITS).map((box, number) => {
      const says = [box.isGroup ? box.kind.op : box.kind.says, box.isFold ? `× ${box.kind.count}` : ""];
      const row = make("li", {role: "option", id: `hit-${number}`, "aria-selected": String(number === state.hit)},
        box.name, make("small", {}, says.filter(Boolean).join(" ") || box.kind.kind));
      row.addEventListener("pointerdown", (event) => event.preventDefault());
      row.addEventListener("click", () => {
        goToHit(number);
        showHits(false);
        canvas.focus({preventScroll: true});
      });
      return row;
    });
    const more = state.hits.length - MOST_HITS;
    if (more > 0) shown.push(make("li", {class: "more", role: "presentation"}, `and ${Draw.grouped(more)} more`));
    if (state.query.trim() && !shown.length) shown.push(make("li", {class: "more", role: "presentation"}, "No box found"));
    list.replaceChildren(...shown);
    showHits(document.activeElement === input && shown.length > 0);
    find("count").textContent = state.query.trim()
      ? (state.hit >= 0 ? `${state.hit + 1} of ${state.hits.length}` : String(state.hits.length)) : "";
    if (state.hit >= 0 && state.hit < MOST_HITS) input.setAttribute("aria-activedescendant", `hit-${state.hit}`);
    else input.removeAttribute("aria-activedescendant");
    if (state.hit >= 0 && state.hit < MOST_HITS) list.children[state.hit].scrollIntoView({block: "nearest"});
  }

  function showHits(shown) {
    find("hits").hidden = !shown;
    find("query").setAttribute("aria-expanded", String(shown));
  }

  function goToHit(number) {
    const count = state.hits.length;
    if (!count) return;
    state.hit = (number + count) % count;
    go(state.hits[state.hit]);
    listHits();
    mark();
  }

  // Export.

  function save(blob, name) {
    const link = make("a", {href: URL.createObjectURL(blob), download: name});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  const fileName = (suffix) => `${data.name.replace(/[^\w.-]+/g, "-") || "network"}.${suffix}`;

  function svgText(fontFace = "") {
    const item = state.wayOnly && state.selected ? scene.itemOf.get(state.selected) : null;
    const way = item ? (graph ?? new Reach.Graph(root)).through(item) : null;
    const {svg, width, height} = Draw.documentOf(network, root, state.theme, state.heat, fontFace, way, state.shapes);
    return {text: new XMLSerializer().serializeToString(svg), width, height};
  }

  function saveSvg() {
    save(new Blob([svgText().text], {type: "image/svg+xml"}), fileName("svg"));
    say(`${fileName("svg")} saved`);
  }

  /** The rule that holds the font, for pictures that cannot see the page's fonts. */
  function fontFace() {
    const rules = [...document.styleSheets[0].cssRules];
    return rules.find((rule) => rule instanceof CSSFontFaceRule)?.cssText ?? "";
  }

  async function savePng() {
    const [MOST_SIDE, MOST_AREA] = [16384, 120e6];
    const {text, width, height} = svgText(fontFace());
    const scale = Math.min(2, MOST_SIDE / width, MOST_SIDE / height, Math.sqrt(MOST_AREA / width / height));
    const url = URL.createObjectURL(new Blob([text], {type: "image/svg+xml"}));
    try {
      const image = new Image();
      image.src = url;
      await image.decode();
      const paper = make("canvas");
      [paper.width, paper.height] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
      paper.getContext("2d").drawImage(image, 0, 0, paper.width, paper.height);
      const blob = await new Promise((done) => { paper.toBlob(done, "image/png"); });
      if (!blob) throw new Error("the picture is too large");
      save(blob, fileName("png"));
      say(scale < 2 ? `${fileName("png")} saved, at ${scale.toFixed(2)} of its size to fit` : `${fileName("png")} saved`);
    } catch (error) {
      say(`No PNG: ${error.message}; SVG has no limit`);
    } finally {
      URL.revokeObjectURL(url);
    }
  }

  // Keys and buttons.

  function showKeys() {
    const list = make("dl");
    for (const [keys, what] of KEYS) {
      const names = keys.split(", ").map((key) => make("kbd", {}, key));
      list.append(make("dt", {}, ...names.flatMap((key, k) => (k ? [" ", key] : [key]))), make("dd", {}, what));
    }
    const close = make("form", {method: "dialog"}, make("button", {type: "submit"}, "Close"));
    find("keys").replaceChildren(make("h2", {}, "Keys"), list, close);
    find("keys").showModal();
  }

  const HEATS = ["", "params", "macs", "memory"];
  const PLAIN_KEYS = {
    "+": () => camera.zoomAt(1.25),
    "=": () => camera.zoomAt(1.25),
    "-": () => camera.zoomAt(0.8),
    "0": () => camera.fit(),
    f: () => camera.fit(),
    "/": () => { find("query").focus(); find("query").select(); },
    "?": showKeys,
    e: () => setDepth(network.deepest),
    c: () => setDepth(1),
    "[": () => setDepth(state.depth - 1),
    "]": () => setDepth(state.depth + 1),
    w: () => setWayOnly(!state.wayOnly),
    i: togglePanel,
    s: () => setShapes(!state.shapes),
    t: () => setTheme(state.theme === "dark" ? "light" : "dark"),
    d: () => setDirection(!state.down),
    h: () => setHeat(HEATS[(HEATS.indexOf(state.heat) + 1) % HEATS.length]),
    u: () => { if (state.selected) unfold(state.selected); },
  };

  function onKey(event) {
    if (find("keys").open && event.key === "?") find("keys").close();
    else if (!find("keys").open && !isChord(event)) onPlainKey(event);
  }

  /** Whether a key is meant for the browser: with Ctrl, Alt or the like, unless they only make a sign such as [. */
  function isChord(event) {
    const sign = event.key.length === 1 && !/[a-z0-9]/i.test(event.key);
    if (event.getModifierState("AltGraph") || (event.altKey && sign && !event.metaKey)) return false;
    return event.ctrlKey || event.metaKey || event.altKey;
  }

  function onPlainKey(event) {
    const onField = event.target.closest("input, select");
    if (onField) return;
    if (event.key === "Escape") {
      if (state.query) clearSearch();
      select(null);
    } else if (PLAIN_KEYS[event.key.toLowerCase()]) {
      PLAIN_KEYS[event.key.toLowerCase()]();
    } else if (event.target !== canvas && event.target !== document.body) {
      return;
    } else if (ARROWS[event.key]) {
      arrow(event.key, event.shiftKey);
    } else if (event.key === "Enter" || event.key === " ") {
      if (state.selected) toggle(state.selected);
      else if (root.items.length) select(root.items[0].box);
    } else if (event.key === "Home" || event.key === "End") {
      const closed = closedIn(root);
      if (closed.length) select(closed[event.key === "Home" ? 0 : closed.length - 1].box);
    } else {
      return;
    }
    event.preventDefault();
  }

  function clearSearch() {
    find("query").value = "";
    search("");
  }

  function onSearchKey(event) {
    const step = {ArrowDown: 1, ArrowUp: -1, Enter: event.shiftKey ? -1 : 1}[event.key];
    if (step) {
      goToHit(state.hit < 0 ? (step > 0 ? 0 : -1) : state.hit + step);
    } else if (event.key === "Escape") {
      clearSearch();
      canvas.focus({preventScroll: true});
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** A tap on the picture: select, and open or close by the sign or by a second tap. */
  function onTap(target, twice) {
    const holder = target.closest("[data-box]");
    const part = target.closest("[data-part]")?.dataset.part ?? "";
    const box = holder ? network.boxes[Number(holder.dataset.box)] : null;
    if (!box || (holder.classList.contains("frame") && !part)) select(null);
    else if (part === "unfold") unfold(box);
    else if (part === "sign") toggle(box);
    else if (twice) toggle(box);
    else select(box, {tapped: true});
  }

  /** What is known of a box or a wire, where the pointer rests on it. */
  function tell(event) {
    const holder = event.target.closest?.(".box, .frame, .wire");
    if (!holder || holder.querySelector("title")) return;
    const title = Draw.element("title", {});
    const box = holder.dataset.box ? network.boxes[Number(holder.dataset.box)] : null;
    if (box) {
      const {op, params, macs} = box.kind;
      const lines = [op ? `${box.name} (${op})` : box.name];
      lines.push(...box.outs.slice(0, 3).map((value) => `output ${network.shape(value)}`));
      if (params) lines.push(`${Draw.grouped(params)} params`);
      if (macs) lines.push(`${Draw.grouped(macs)} MACs`);
      title.textContent = Draw.clean(lines.join("\n"));
    } else {
      const route = [...scene.held.values()].find((held) => held.element === holder)?.route;
      if (route) title.textContent = Draw.clean(`${network.valueName(route.value)}: ${network.shape(route.value)}`);
    }
    holder.prepend(title);
  }

  function listen() {
    const clicks = {
      shallower: () => setDepth(state.depth - 1),
      deeper: () => setDepth(state.depth + 1),
      expand: () => setDepth(network.deepest),
      collapse: () => setDepth(1),
      copies: () => unfoldAll(!folds.every((box) => box.unfolded)),
      way: () => setWayOnly(!state.wayOnly),
      direction: () => setDirection(!state.down),
      theme: () => setTheme(state.theme === "dark" ? "light" : "dark"),
      details: togglePanel,
      svg: saveSvg,
      png: savePng,
      help: showKeys,
      in: () => camera.zoomAt(1.25),
      out: () => camera.zoomAt(0.8),
      fit: () => camera.fit(),
    };
    for (const [id, run] of Object.entries(clicks)) find(id).addEventListener("click", run);
    find("heat").addEventListener("change", (event) => setHeat(event.target.value));
    find("query").addEventListener("input", (event) => search(event.target.value));
    find("query").addEventListener("keydown", onSearchKey);
    find("query").addEventListener("focus", () => showHits(find("hits").childElementCount > 0));
    find("query").addEventListener("blur", () => showHits(false));
    document.addEventListener("keydown", onKey);
    find("keys").addEventListener("click", (event) => { if (event.target === find("keys")) find("keys").close(); });
    window.addEventListener("beforeprint", () => { camera.fit(); camera.now(); });
    find("scene").addEventListener("pointerover", tell);
    View.listen(canvas, camera, onTap);
    new ResizeObserver(() => {
      camera.measure();
      camera.hold();
      camera.request();
    }).observe(canvas);
  }

  // For tests, and for the curious in the console.

  const absolute = (item) => ({
    number: item.box.number, path: item.box.path, kind: item.box.kind.kind, open: item.open, label: item.box.label,
    x: item.x, y: item.y, width: item.width, height: item.height,
  });

  function byPath(path) {
    const box = network.byPath.get(path);
    if (!box) throw new Error(`no box ${path}`);
    return box;
  }

  window.archspec = {
    boxes: () => scene.items.map(absolute),
    wires: () => [root, ...scene.items].flatMap((group) => group.routes.map((route) => ({
      value: network.valueName(route.value),
      from: route.source ? route.source.box.path : "",
      to: route.target ? route.target.box.path : "",
      points: route.points,
    }))),
    size: () => [root.width, root.height],
    toggle: (path) => toggle(byPath(path)),
    unfold: (path) => unfold(byPath(path)),
    unfoldAll,
    setDepth,
    setDirection,
    select: (path) => (path === null ? select(null) : go(byPath(path))),
    fit: () => { camera.fit(); camera.now(); },
    panBy: (dx, dy) => camera.panBy(dx, dy),
    zoomTo: (scale) => { camera.zoomAt(scale / camera.scale); camera.now(); },
    state: () => ({
      x: camera.x, y: camera.y, scale: camera.scale, theme: state.theme, heat: state.heat, down: state.down,
      depth: state.depth, selected: state.selected ? state.selected.path : null, wayOnly: state.wayOnly,
      hits: state.hits.map((box) => box.path), hit: state.hit, drawn: scene.held.size,
    }),
    svg: () => svgText().text,
    ready: 0,
  };

  document.documentElement.dataset.theme = state.theme;
  find("title").textContent = Draw.clean(data.title);
  find("subtitle").textContent = find("subtitle").title = Draw.clean(data.subtitle);
  document.documentElement.toggleAttribute("data-comparing", Boolean(data.comparing));
  camera.covered = () => (find("map").hidden ? [0, 0] : [find("corner").offsetWidth, find("corner").offsetHeight]);
  canvas.setAttribute("aria-label", Draw.clean(`Diagram of ${data.title}`));
  find("heat").disabled = data.comparing;
  if (!folds.length) find("copies").hidden = true;
  listen();
  relayout({fresh: true});
  start();
  const focus = network.byPath.get(data.focus) ?? null;
  if (focus && focus !== network.root) go(focus);
  camera.now();
  if (!NARROW.matches && !data.focus) say("Click selects, double click opens and closes; ? shows the keys");
  window.archspec.ready = performance.now();
})();
