// The panel at the side: all that is known of the selected box.
const Panel = (() => {
  const {short, bytes, grouped, clean} = Draw;

  /** An HTML element; texts are set as text. */
  function make(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "onclick") made.addEventListener("click", value);
      else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null).map((c) => (typeof c === "string" ? clean(c) : c)));
    return made;
  }

  /** A heading and rows of [name, value]; nothing if there are no rows. */
  function table(title, rows) {
    if (!rows.length) return null;
    const list = make("dl");
    for (const [name, ...values] of rows) list.append(make("dt", {}, name), make("dd", {}, ...values));
    return make("section", {}, make("h3", {}, title), list);
  }

  function costRows(network, box) {
    const {kind} = box;
    const count = kind.count ?? 1;
    const whole = network.root.kind;
    const rows = [];
    const add = (name, key, text, exact) => {
      const value = kind[key] ?? 0;
      if (!value) return;
      const part = whole[key] ? (100 * value) / whole[key] : 0;
      const percent = part >= 99.95 ? "100%" : part < 0.05 ? "<0.1%" : `${part.toFixed(1)}%`;
      const row = [name, make("span", {title: exact(value)}, text(value)), make("small", {}, ` ${percent} of all`)];
      if (count > 1) row.push(make("small", {class: "each"}, `${count} × ${text(value / count)}`));
      rows.push(row);
    };
    const number = (value) => (value < 100000 ? grouped(value) : short(Math.round(value)));
    if (network.data.comparing) return comparedRows(box, number);
    add("params", "params", number, grouped);
    add("MACs", "macs", number, grouped);
    add("outputs", "memory", bytes, (value) => `${grouped(value)} bytes`);
    add("saved for backward", "saved", bytes, (value) => `${grouped(value)} bytes`);
    if (box.sees) {
      const [height, width] = box.sees;
      rows.push(["receptive field", height === width ? `${height}×${height}` : `${height}×${width}`]);
    }
    return rows;
  }

  /** Costs before and after, where two networks are compared. */
  function comparedRows(box, number) {
    const [gains, now] = [box.kind.gain ?? [0, 0], box.kind.now ?? [0, 0]];
    return ["params", "MACs"].map((name, k) => {
      const [before, after] = [now[k] - gains[k], now[k]];
      if (before === after) return after ? [name, number(after), make("small", {}, " as before")] : null;
      const more = `${gains[k] > 0 ? "+" : "−"}${number(Math.abs(gains[k]))}`;
      return [name, `${number(before)} → ${number(after)}`, make("small", {}, ` ${more}`)];
    }).filter(Boolean);
  }

  function otherRows(network, box) {
    const {kind} = box;
    const rows = [];
    const change = Draw.CHANGES[kind.change] ?? kind.change;
    if (change || kind.changeText) rows.push(["change", [change, kind.changeText].filter(Boolean).join(": ")]);
    if (kind.training) rows.push(["runs", "in training only"]);
    if (kind.shares) rows.push(["shares", kind.shares]);
    if (kind.places) rows.push(["place", kind.places.join(", ")]);
    if (kind.place) {
      const [file, line] = kind.place;
      rows.push(["source", make("code", {class: "source"}, `${network.data.files[file]}:${line}`)]);
    }
    return rows;
  }

  /** Buttons that lead to boxes; the many of a wide network only at the start. */
  function links(title, boxes, go) {
    if (!boxes.length) return null;
    const MOST = 40;
    const list = make("ul", {class: "links"});
    for (const box of boxes.slice(0, MOST)) {
      list.append(make("li", {}, make("button", {type: "button", onclick: () => go(box)}, box.name)));
    }
    if (boxes.length > MOST) list.append(make("li", {}, `and ${boxes.length - MOST} more`));
    return make("section", {}, make("h3", {}, title), list);
  }

  /** The boxes that make what enters a box. */
  function sources(network, box) {
    return [...new Set(box.ins.map((value) => network.makers.get(network.valueName(value))).filter(Boolean))];
  }

  /** The boxes outside of a box that read what leaves it. */
  function readers(network, box) {
    const inside = (other) => {
      for (let at = other; at; at = at.parent) if (at === box) return true;
      return false;
    };
    const found = new Set(box.kind.kind === "output" ? [] : box.outs.flatMap((value) => network.readers.get(value) ?? []));
    return [...found].filter((other) => !inside(other));
  }

  /** Fill the panel. `act` has what its buttons do. */
  function fill(holder, network, box, state, act) {
    const {kind} = box;
    const colours = network.data.themes[state.theme].families[kind.family];
    const chip = make("span", {class: "chip"});
    [chip.style.background, chip.style.borderColor] = colours;
    const what = box.isFold ? `${kind.op || "layers"} × ${kind.count}` : kind.op || (box.isGroup ? "group" : kind.kind);
    const head = make("header", {},
      make("h2", {}, box.label),
      make("button", {type: "button", class: "icon", "aria-label": "Close the panel", title: "Close (i)", onclick: act.close}, "×"),
      make("p", {class: "path"}, make("code", {}, box.name)),
      make("p", {class: "what"}, chip, what, kind.says && kind.says !== what ? ` · ${kind.says}` : ""));
    const tools = make("div", {class: "tools"});
    const button = (text, run, pressed) =>
      tools.append(make("button", {type: "button", onclick: run, "aria-pressed": pressed === undefined ? null : String(pressed)}, text));
    if (network.canOpen(box)) button(network.isOpen(box) ? "Close" : "Open", act.toggle);
    if (network.canUnfold(box)) button(box.unfolded ? "Fold copies" : `Show all ${kind.count}`, act.unfold);
    button("Only its way", act.way, state.wayOnly);
    const shapes = box.ins.slice(0, 12).map((value) => ["input", network.shape(value), make("small", {}, ` ${network.valueName(value)}`)]);
    const made = kind.kind === "output" ? [] : box.outs.slice(0, 12);
    if (box.ins.length > shapes.length) shapes.push(["", `and ${box.ins.length - shapes.length} more inputs`]);
    shapes.push(...made.map((value) => ["output", network.shape(value)]));
    if (made.length && box.outs.length > made.length) shapes.push(["", `and ${box.outs.length - made.length} more outputs`]);
    const outside = readers(network, box);
    holder.replaceChildren(...[
      head, tools,
      table("Shapes", shapes),
      table(box.isGroup ? "Params of the block" : "Fields", Object.entries(kind.fields ?? {})),
      table("Costs", costRows(network, box)),
      table("Weights", kind.weights ?? []),
      table("More", otherRows(network, box)),
      links("Reads", sources(network, box), act.go),
      links("Read by", outside, act.go),
    ].filter(Boolean));
    holder.scrollTop = 0;
  }

  return {fill, make};
})();
