// The network as the page knows it, and where everything goes: `layout.py`, `item.py` and `curve.py` in the browser's
// language. Every sum is made in the order in which Python makes it, so that both come to the same numbers.
const Layout = (() => {
  const SIZES = {name: 12, says: 11};
  const SMALL = 10;
  const ROOM = 230;
  const GAP = 20;
  const BEND_GAP = 12;
  const ROW_GAP = 26;
  const STEEP = 0.16;
  const MOST_ROW_GAP = 90;
  const PORT_GAP = 16;
  const PAD = 12;
  const HEADER = 22;
  const LINE = 14;
  const BOX_PAD = [10, 6];
  const LEAST_WIDTH = 64;
  const ROUNDS = 40;
  const TOUCH = 0.5;
  const MOST_ASIDE = 120;
  const STACK = 4;
  const ARROW = 6;

  // Text.

  /** Widths of texts in the font that pictures are drawn with. */
  class Font {
    constructor(table) {
      this.family = table.family;
      this.widths = new Map();
      this.known = new Map();
      for (const [start, widths] of table.runs) {
        widths.forEach((width, k) => this.widths.set(String.fromCodePoint(start + k), width / table.units));
      }
    }

    /** Pixels of a text. A character that the font lacks counts as a square. */
    width(text, size) {
      const key = size + text;
      let found = this.known.get(key);
      if (found === undefined) {
        let sum = 0;
        for (const c of text) sum += this.widths.get(c) ?? 1;
        found = sum * size;
        this.known.set(key, found);
      }
      return found;
    }

    /** A text that fits into so many pixels: where it does not, its middle is left out. */
    shortened(text, size, room) {
      if (this.width(text, size) <= room) return text;
      const characters = Array.from(text);
      const kept = (count) => {
        const front = (count + 1) >> 1;
        return characters.slice(0, front).join("") + "…" + characters.slice(characters.length - count + front).join("");
      };
      let least = 0;
      let most = characters.length;
      while (least < most) {
        const middle = (least + most + 1) >> 1;
        if (this.width(kept(middle), size) <= room) least = middle;
        else most = middle - 1;
      }
      return kept(least);
    }
  }

  /** Size of a line's text by its role. */
  const sizeOf = (role) => SIZES[role] ?? SMALL;

  // The network.

  /** One box of the network; the data has it as a list of numbers. */
  class Box {
    constructor(network, number, record) {
      const [kind, label, parent, children, ins, outs, sees] = record;
      this.number = number;
      this.kind = network.kinds[kind];
      this.label = label;
      this.parent = parent < 0 ? null : network.boxes[parent];
      this.childNumbers = children;
      this.ins = ins;
      this.outs = outs;
      this.sees = sees;
      this.isFold = this.kind.kind === "fold";
      this.isGroup = children.length > 0;
      this.path = this.madePath();
      this.level = this.path.split(".").length;
      this.open = false;
      this.unfolded = false;
    }

    /** The path: that of what it is in, and its name. A run of copies goes by the path of its first. */
    madePath() {
      if (this.kind.kind === "network") return "";
      if (this.kind.kind === "output") return `output ${this.label}`;
      const run = this.kind.run;
      const name = run ? this.label.split(" … ")[0] : this.label;
      let holder = this.parent;
      while (holder && holder.kind.run) holder = holder.parent;
      return holder && holder.path ? `${holder.path}.${name}` : name;
    }

    /** What a reader calls it: its path; of an output its name, of a run of copies the first and the last. */
    get name() {
      if (this.kind.kind === "output") return this.label;
      return this.kind.run ? this.path.slice(0, this.path.lastIndexOf(".") + 1) + this.label : this.path;
    }
  }

  /** All boxes, and which of them are open. */
  class Network {
    constructor(data) {
      this.data = data;
      this.font = new Font(data.font);
      this.kinds = data.kinds;
      this.plans = data.plans.map(prepared);
      this.boxes = [];
      data.boxes.forEach((record, number) => this.boxes.push(new Box(this, number, record)));
      for (const box of this.boxes) box.children = box.childNumbers.map((child) => this.boxes[child]);
      this.root = this.boxes[0];
      this.deepest = this.boxes.reduce((most, box) => Math.max(most, box.level), 1);
      this.byPath = new Map();
      for (const box of this.boxes) {
        if (!this.byPath.has(box.path)) this.byPath.set(box.path, box);
      }
      this.readers = new Map();
      for (const box of this.boxes) {
        if (!box.isGroup) for (const value of new Set(box.ins)) this.push(this.readers, value, box);
      }
      this.makers = new Map();
      for (const box of this.boxes) if (!box.isGroup && box.kind.kind !== "output") this.makers.set(box.path, box);
      this.setDepth(data.depth);
      if (data.unfold) for (const box of this.boxes) box.unfolded = this.canUnfold(box);
    }

    push(map, key, value) {
      if (!map.has(key)) map.set(key, []);
      map.get(key).push(value);
    }

    /** Open every group above a depth, as the pictures of that depth do. */
    setDepth(depth) {
      for (const box of this.boxes) box.open = this.canOpen(box) && !box.isFold && box.level < depth;
    }

    canOpen(box) {
      if (box.isFold) return this.canUnfold(box) || this.canOpen(box.children[0]);
      return box.isGroup && box.kind.plan >= 0;
    }

    canUnfold(box) {
      return box.isFold && box.kind.plan >= 0;
    }

    isOpen(box) {
      if (box.isFold) return box.unfolded || (this.canOpen(box.children[0]) && box.children[0].open);
      return box === this.root || box.open;
    }

    /** The group whose children and wires an open box shows: itself, or the first copy of a fold. */
    shown(box) {
      return box.isFold && !box.unfolded ? box.children[0] : box;
    }

    /** Open or close a box; a fold opens as its first copy, or as a chain where copies are single layers. */
    setOpen(box, open) {
      if (box.isFold) {
        const first = box.children[0];
        if (this.canOpen(first)) first.open = open;
        else box.unfolded = open;
        if (!open) box.unfolded = false;
      } else {
        box.open = open;
      }
    }

    /** The lines of a closed box: [text, role]. */
    lines(box) {
      const name = this.font.shortened(box.label, SIZES.name, ROOM);
      return [[name, "name"], ...(box.kind.lines ?? [])];
    }

    /** The texts in the header of an open group: [text, role]. */
    header(box) {
      if (box === this.root) return [];
      const name = this.font.shortened(box.label, SIZES.name, ROOM);
      const texts = box.unfolded ? box.kind.unfolded : box.kind.header;
      return [[name, "name"], ...(texts ?? [])];
    }

    lineWidth(line) {
      return this.font.width(line[0], sizeOf(line[1]));
    }

    /** Width and height of a closed box. */
    closedSize(box) {
      const lines = this.lines(box);
      const words = Math.max(...lines.map((line) => this.lineWidth(line))) + 2 * BOX_PAD[0];
      const width = Math.max(words, 2 * ARROW * (box.ins.length - 1) + 16);
      return [Math.max(LEAST_WIDTH, Math.ceil(width / 2) * 2), lines.length * LINE + 2 * BOX_PAD[1]];
    }

    shape(value) {
      return this.data.values[value][1];
    }

    valueName(value) {
      return this.data.values[value][0];
    }
  }

  /** A plan with what follows from it whatever the sizes are. */
  function prepared(plan) {
    plan.joints = jointsOf(plan);
    plan.rowOf = new Map();
    plan.rows.forEach((row, number) => row.forEach((vertex) => plan.rowOf.set(vertex, number)));
    plan.stringOf = new Map();
    plan.strings.forEach((string, number) => string.forEach((vertex) => plan.stringOf.set(vertex, number)));
    return plan;
  }

  /** Every piece of a wire, once: [upper, lower, port at the upper end, port at the lower]. */
  function jointsOf(plan) {
    const seen = new Set();
    const joints = [];
    plan.ways.forEach((way, number) => {
      const [outPort, inPort] = plan.ports[number];
      for (let place = 0; place + 1 < way.length; place++) {
        const key = `${way[place]},${way[place + 1]}`;
        if (seen.has(key)) continue;
        seen.add(key);
        joints.push([way[place], way[place + 1], place ? 0 : outPort, place === way.length - 2 ? inPort : 0]);
      }
    });
    return joints;
  }

  // Laying out. u runs along the rows, v across them.

  /** Lays out what is open of a network, and keeps what did not change. */
  class Layouter {
    constructor(network, down) {
      this.network = network;
      this.down = down;
      this.kept = new Map();
    }

    /** Forget a box and all that it is in: it has been opened or closed. */
    changed(box) {
      for (let at = box; at; at = at.parent) this.kept.delete(at);
    }

    /** Forget everything. */
    clear() {
      this.kept.clear();
    }

    uv(width, height) {
      return this.down ? [width, height] : [height, width];
    }

    lay(box) {
      const {network} = this;
      if (!network.isOpen(box)) {
        const [du, dv] = this.uv(...network.closedSize(box));
        return {box, open: false, du, dv, ins: [], outs: [], inner: [], ways: [], plan: null};
      }
      const kept = this.kept.get(box);
      if (kept) return kept;
      const shown = network.shown(box);
      const plan = network.plans[shown.kind.plan];
      const children = shown.children.map((child) => this.lay(child));
      children.forEach((child, number) => {
        if (!child.open) spreadPorts(child, plan, number);
      });
      const laid = this.group(box, plan, children);
      this.kept.set(box, laid);
      return laid;
    }

    group(box, plan, children) {
      const {network, down} = this;
      const u = across(plan, children);
      let left = Infinity;
      let right = -Infinity;
      for (const row of plan.rows) {
        for (const vertex of row) {
          const half = halfOf(plan, children, vertex);
          left = Math.min(left, u.get(vertex) - half);
          right = Math.max(right, u.get(vertex) + half);
        }
      }
      if (left === Infinity) left = right = 0;
      const framed = box !== network.root;
      let header = 0;
      if (framed) {
        for (const line of network.header(box)) header += network.lineWidth(line) + 8;
        header += 2 * PAD;
      }
      const pad = framed ? PAD : 0;
      let du = right - left + 2 * pad;
      let before = pad;
      if (framed && down) {
        before += Math.max(0, (header - du) / 2);
        du = Math.max(du, header);
      }
      const uFirst = framed && !down ? HEADER : 0;
      const shift = before - left + uFirst;
      du += uFirst;
      const vFirst = framed && down ? HEADER : 0;
      const rows = new Rows(plan, children, u);
      rows.fill(vFirst, framed);
      const dv = down ? rows.end : Math.max(rows.end, header);
      const laid = {box, open: true, du, dv, ins: [], outs: [], inner: [], ways: [], plan};
      let first = plan.children;
      for (let k = 0; k < plan.inPorts; k++) laid.ins[k] = u.get(first + k) + shift - du / 2;
      first += plan.inPorts;
      for (let k = 0; k < plan.outPorts; k++) laid.outs[k] = u.get(first + k) + shift - du / 2;
      laid.inner = children.map((child, number) => [child, u.get(number) + shift - child.du / 2, rows.corner.get(number)]);
      const along = new Map();
      for (const [vertex, place] of u) along.set(vertex, place + shift);
      laid.ways = plan.ways.map((_, number) => wayOf(plan, laid, number, rows, along, vFirst));
      return laid;
    }

    /** Everything in its place, from the corner (0, 0). */
    place() {
      return this.placed(this.lay(this.network.root), 0, 0, null, 0);
    }

    placed(laid, u, v, parent, depth) {
      const [x, y] = this.uv(u, v);
      const [width, height] = this.uv(laid.du, laid.dv);
      const item = {box: laid.box, open: laid.open, x, y, width, height, parent, depth, items: [], routes: []};
      item.items = laid.inner.map(([child, cu, cv]) => this.placed(child, u + cu, v + cv, item, depth + 1));
      item.routes = laid.ways.map((points, number) => this.route(item, laid, number, points, u, v));
      return item;
    }

    route(item, laid, number, points, u, v) {
      const plan = laid.plan;
      const way = plan.ways[number];
      const [outPort, inPort] = plan.ports[number];
      const source = way[0] < plan.children ? item.items[way[0]] : null;
      const last = way[way.length - 1];
      const target = last < plan.children ? item.items[last] : null;
      const training = (end) => end !== null && Boolean(end.box.kind.training);
      return {
        group: item,
        number,
        value: source ? source.box.outs[outPort] : item.box.ins[outPort],
        points: points.map(([pu, pv]) => this.uv(u + pu, v + pv)),
        source,
        target,
        outPort,
        inPort,
        arrow: target !== null,
        dashed: training(source) || training(target) || Boolean(item.box.kind.training),
        down: this.down,
        mark: plan.marks ? plan.marks[number] : "",
      };
    }
  }

  const halfOf = (plan, children, vertex) => (vertex < plan.children ? children[vertex].du / 2 : 0);

  /** How far from its middle a wire leaves a vertex. */
  const outOf = (plan, children, vertex, port) => (vertex < plan.children ? children[vertex].outs[port] ?? 0 : 0);

  const inOf = (plan, children, vertex, port) => (vertex < plan.children ? children[vertex].ins[port] ?? 0 : 0);

  /** The ends of wires at a closed box: beside each other, the one from straight above in the middle. */
  function spreadPorts(child, plan, number) {
    const [ports, middle] = plan.slots[number];
    const base = middle >= 0 ? middle : (ports.length - 1) / 2;
    const widest = Math.max(base, ports.length - 1 - base, 0.5);
    let gap = Math.min(PORT_GAP, (child.du / 2 - 8) / widest);
    child.ins = [];
    ports.forEach((port, place) => { child.ins[port] = (place - base) * gap; });
    const outs = plan.exits[number];
    gap = Math.min(PORT_GAP, (child.du - 16) / Math.max(outs.length - 1, 1));
    child.outs = [];
    outs.forEach((port, place) => { child.outs[port] = (place - (outs.length - 1) / 2) * gap; });
  }

  /** The place of every vertex along its row. */
  function across(plan, children) {
    const offset = offsets(plan, children);
    const pairs = distances(plan, children, offset);
    const pulls = pullsOf(plan, children, offset);
    const count = plan.strings.length;
    let at = pushed(new Array(count).fill(0), pairs);
    const rounds = count < 400 ? ROUNDS : 12;
    for (let round = 0; count && round < rounds; round++) {
      const wanted = at.map((place, s) => {
        if (!pulls[s].length) return place;
        let sum = 0;
        let strength = 0;
        for (const [other, distance, weight] of pulls[s]) {
          sum += weight * (at[other] + distance);
          strength += weight;
        }
        return 0.5 * place + (0.5 * sum) / strength;
      });
      at = pushed(wanted, pairs);
    }
    const places = new Map();
    for (const row of plan.rows) {
      for (const vertex of row) places.set(vertex, at[plan.stringOf.get(vertex)] + offset.get(vertex));
    }
    return places;
  }

  /** How far each vertex stands from its string, so that wires within a string are straight. */
  function offsets(plan, children) {
    const joints = new Map();
    for (const [upper, lower, out, into] of plan.joints) joints.set(`${upper},${lower}`, [out, into]);
    const offset = new Map();
    for (const string of plan.strings) {
      let at = 0;
      string.forEach((vertex, place) => {
        if (place) {
          const upper = string[place - 1];
          if (!joints.has(`${upper},${vertex}`)) {
            offset.set(vertex, at); // both stand alone in their rows, others are between
            return;
          }
          const [out, into] = joints.get(`${upper},${vertex}`);
          const aside = outOf(plan, children, upper, out) - inOf(plan, children, vertex, into);
          const boxes = upper < plan.children && vertex < plan.children;
          at += !boxes || (plan.exits[upper].length === 1 && Math.abs(at + aside) <= MOST_ASIDE) ? aside : 0;
        }
        offset.set(vertex, at);
      });
    }
    return offset;
  }

  /** [left string, right string, least distance], in an order that goes from left to right. */
  function distances(plan, children, offset) {
    const least = new Map();
    for (const row of plan.rows) {
      for (let place = 0; place + 1 < row.length; place++) {
        const [left, right] = [row[place], row[place + 1]];
        const both = left < plan.children && right < plan.children;
        const apart = halfOf(plan, children, left) + halfOf(plan, children, right) + (both ? GAP : BEND_GAP);
        const [one, two] = [plan.stringOf.get(left), plan.stringOf.get(right)];
        const key = one * plan.strings.length + two;
        least.set(key, Math.max(least.get(key) ?? 0, apart + offset.get(left) - offset.get(right)));
      }
    }
    const count = plan.strings.length;
    return [...least.entries()].sort((a, b) => a[0] - b[0])
      .map(([key, apart]) => [Math.floor(key / count), key % count, apart]);
  }

  /** Of each string, the strings that pull at it: [number, distance at which a wire is straight, strength]. */
  function pullsOf(plan, children, offset) {
    const pulls = plan.strings.map(() => []);
    const fixed = plan.children + plan.inPorts + plan.outPorts;
    for (const [upper, lower, out, into] of plan.joints) {
      const [one, two] = [plan.stringOf.get(upper), plan.stringOf.get(lower)];
      if (one === two) continue;
      const start = offset.get(upper) + outOf(plan, children, upper, out);
      const end = offset.get(lower) + inOf(plan, children, lower, into);
      const strength = upper >= fixed && lower >= fixed ? 4 : 1;
      pulls[two].push([one, start - end, strength]);
      pulls[one].push([two, end - start, strength]);
    }
    return pulls;
  }

  /** Places near the wanted ones that keep all distances: the middle of pushing to the right and to the left. */
  function pushed(wanted, pairs) {
    const right = wanted.slice();
    const left = wanted.slice();
    for (const [one, two, apart] of pairs) right[two] = Math.max(right[two], right[one] + apart);
    for (let k = pairs.length - 1; k >= 0; k--) {
      const [one, two, apart] = pairs[k];
      left[one] = Math.min(left[one], left[two] - apart);
    }
    return right.map((place, k) => (place + left[k]) / 2);
  }

  /** Where the rows of a group are, across which its wires run; auxiliary heads and the like float beside them. */
  class Rows {
    constructor(plan, children, u) {
      this.plan = plan;
      this.children = children;
      this.u = u;
      this.tops = [];
      this.bottoms = [];
      this.corner = new Map();
      this.floating = new Set();
      this.runs = plan.rows.map(() => 0);
      this.end = 0;
    }

    fill(first, framed) {
      const {plan, children} = this;
      const strings = this.beside(floatingStrings(plan, children));
      for (const string of strings.values()) for (const vertex of string) this.floating.add(vertex);
      const spans = this.spans(strings);
      const hanging = [];
      let bottom = first;
      plan.rows.forEach((row, number) => {
        let height = 0;
        for (const v of row) if (v < plan.children && !this.floating.has(v)) height = Math.max(height, children[v].dv);
        const reached = hanging
          .filter(([left, right]) => spans[number].some(([least, most]) => left + TOUCH < most && least < right - TOUCH))
          .map(([, , end]) => end);
        if (reached.length && this.bottoms.length) {
          bottom = Math.max(bottom, ...reached);
          this.bottoms[this.bottoms.length - 1] = bottom;
        }
        const top = bottom + this.gap(number, framed);
        bottom = top + height;
        this.tops.push(top);
        this.bottoms.push(bottom);
        for (const vertex of row) {
          if (strings.has(vertex)) {
            hanging.push(this.hang(strings.get(vertex), top));
          } else if (vertex < plan.children && !this.floating.has(vertex)) {
            const spare = children[vertex].open ? 0 : height - children[vertex].dv;
            this.corner.set(vertex, top + spare / 2);
          }
        }
      });
      this.end = bottom;
      for (const [, , end] of hanging) this.end = Math.max(this.end, end);
      if (framed && plan.outPorts && this.end > bottom) {
        this.end += PAD;
        this.tops[this.tops.length - 1] = this.bottoms[this.bottoms.length - 1] = this.end;
      }
      if (framed && !plan.outPorts) this.end += PAD;
    }

    /** Place a string that floats; its left, right and lower end. */
    hang(string, top) {
      const [left, right] = this.extent(string);
      for (const vertex of string) {
        this.corner.set(vertex, top);
        top += this.children[vertex].dv + ROW_GAP;
      }
      return [left - GAP, right + GAP, top - ROW_GAP];
    }

    /** Left and right of a string of boxes. */
    extent(string) {
      let left = Infinity;
      let right = -Infinity;
      for (const vertex of string) {
        left = Math.min(left, this.u.get(vertex) - this.children[vertex].du / 2);
        right = Math.max(right, this.u.get(vertex) + this.children[vertex].du / 2);
      }
      return [left, right];
    }

    /** The strings that can float: those that begin in one row must not meet below it. */
    beside(strings) {
      const kept = new Map();
      for (const [first, string] of strings) {
        const [left, right] = this.extent(string);
        const row = this.plan.rowOf.get(first);
        const apart = [...kept].every(([other, beside]) => {
          if (this.plan.rowOf.get(other) !== row) return true;
          const [least, most] = this.extent(beside);
          return right < least || most < left;
        });
        if (apart) kept.set(first, string);
      }
      return kept;
    }

    /** Of each row, what its boxes, bends and the wires that come to it take up along it; notes their runs. */
    spans(strings) {
      const {plan, children, u} = this;
      const spans = plan.rows.map(() => []);
      for (const [vertex, number] of plan.rowOf) {
        if (!this.floating.has(vertex) || number === 0) {
          const half = halfOf(plan, children, vertex);
          spans[number].push([u.get(vertex) - half, u.get(vertex) + half]);
        }
      }
      for (const [upper, lower, out, into] of plan.joints) {
        if (this.floating.has(upper)) continue;
        const start = u.get(upper) + outOf(plan, children, upper, out);
        const end = u.get(lower) + inOf(plan, children, lower, into);
        const row = spans[plan.rowOf.get(lower)];
        row.push([Math.min(start, end), Math.max(start, end)]);
        this.runs[plan.rowOf.get(lower)] = Math.max(this.runs[plan.rowOf.get(lower)], Math.abs(start - end));
        if (strings.has(lower)) row.push(this.extent(strings.get(lower)));
      }
      return spans;
    }

    /** The distance from the row above. */
    gap(number, framed) {
      const {plan} = this;
      const run = this.runs[number];
      if (number === 0) return framed && !plan.inPorts ? PAD : 0;
      if (number === 1 && plan.inPorts) return Math.min(MOST_ROW_GAP, Math.max(PAD + 6, STEEP * run + 8));
      if (number === plan.rows.length - 1 && plan.outPorts) {
        return Math.min(MOST_ROW_GAP, Math.max(PAD, STEEP * run + 8));
      }
      return Math.max(ROW_GAP, Math.min(MOST_ROW_GAP, ROW_GAP * 0.6 + STEEP * run));
    }
  }

  /** First vertex -> the strings that float: of parts only training has, with nothing joined but their first. */
  function floatingStrings(plan, children) {
    const found = new Map();
    if (!children.some((child) => child.box.kind.training)) return found;
    const down = new Map();
    const up = new Map();
    const put = (map, key, value) => map.set(key, (map.get(key) ?? new Set()).add(value));
    for (const [upper, lower] of plan.joints) {
      put(down, upper, lower);
      put(up, lower, upper);
    }
    const alone = (map, key, value) => map.get(key).size === 1 && map.get(key).has(value);
    for (const string of plan.strings) {
      const aside = string.every((vertex) => vertex < plan.children && children[vertex].box.kind.training);
      if (!aside || down.has(string[string.length - 1])) continue;
      const chained = string.every((vertex, k) => {
        return k === 0 || (alone(down, string[k - 1], vertex) && alone(up, vertex, string[k - 1]));
      });
      if (chained) found.set(string[0], string);
    }
    return found;
  }

  /** The points of a wire: out of its source, straight through the rows between, into its target. */
  function wayOf(plan, laid, number, rows, along, first) {
    const way = plan.ways[number];
    const [outPort, inPort] = plan.ports[number];
    const [source, target] = [way[0], way[way.length - 1]];
    const points = [];
    if (source < plan.children) {
      const [child, cu, cv] = laid.inner[source];
      const start = cu + child.du / 2 + child.outs[outPort];
      const bottom = rows.bottoms[plan.rowOf.get(source)];
      points.push([start, cv + child.dv]);
      if (!rows.floating.has(source) && bottom > cv + child.dv) points.push([start, cv + child.dv], [start, bottom]);
    } else {
      points.push([along.get(source), first]);
    }
    for (const bend of way.slice(1, -1)) {
      const row = plan.rowOf.get(bend);
      points.push([along.get(bend), rows.tops[row]], [along.get(bend), rows.bottoms[row]]);
    }
    if (target < plan.children) {
      const [child, cu, cv] = laid.inner[target];
      const end = cu + child.du / 2 + child.ins[inPort];
      const top = rows.tops[plan.rowOf.get(target)];
      if (rows.floating.has(target) || cv <= top) points.push([end, cv]);
      else points.push([end, top], [end, cv], [end, cv]);
    } else {
      points.push([along.get(target), laid.dv]);
    }
    return points;
  }

  // Curves.

  /** A coordinate, to a tenth of a pixel. */
  const tenth = (value) => String(rounded(value * 10) / 10 + 0);

  /** The nearest whole number; halves go to the even one, as in Python. */
  function rounded(value) {
    const low = Math.floor(value);
    const rest = value - low;
    return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
  }

  /** The points of a route, ended at the foot of its arrow. */
  function beforeArrow(points, down) {
    const last = points[points.length - 1];
    const foot = down ? [last[0], last[1] - ARROW] : [last[0] - ARROW, last[1]];
    let place = points.length - 1;
    while (points[place][0] === last[0] && points[place][1] === last[1] && place > 0) place--;
    return points.map((point, k) => (k <= place ? point : foot));
  }

  /** A route as the data of an SVG path. */
  function pathText(route) {
    const points = route.arrow ? beforeArrow(route.points, route.down) : route.points;
    const at = (x, y) => `${tenth(x)} ${tenth(y)}`;
    const found = [];
    let end = null;
    for (let k = 0; k + 1 < points.length; k++) {
      const [one, two] = [points[k], points[k + 1]];
      if (one[0] === two[0] && one[1] === two[1]) continue;
      if (!end || end[0] !== one[0] || end[1] !== one[1]) found.push(`M${at(...one)}`);
      if (k % 2 || Math.abs(one[0] - two[0]) < 0.05 || Math.abs(one[1] - two[1]) < 0.05) {
        found.push(`L${at(...two)}`);
      } else if (route.down) {
        const middle = (one[1] + two[1]) / 2;
        found.push(`C${at(one[0], middle)} ${at(two[0], middle)} ${at(...two)}`);
      } else {
        const middle = (one[0] + two[0]) / 2;
        found.push(`C${at(middle, one[1])} ${at(middle, two[1])} ${at(...two)}`);
      }
      end = two;
    }
    return found.join("");
  }

  /** The triangle at the end of a route, as the data of a path. */
  function arrowText(route) {
    const [x, y] = route.points[route.points.length - 1];
    const half = ARROW / 2;
    return route.down
      ? `M${tenth(x)} ${tenth(y)}L${tenth(x - half)} ${tenth(y - ARROW)}L${tenth(x + half)} ${tenth(y - ARROW)}Z`
      : `M${tenth(x)} ${tenth(y)}L${tenth(x - ARROW)} ${tenth(y - half)}L${tenth(x - ARROW)} ${tenth(y + half)}Z`;
  }

  return {Network, Layouter, pathText, arrowText, sizeOf, tenth, rounded, PAD, HEADER, LINE, BOX_PAD, STACK, SMALL};
})();
