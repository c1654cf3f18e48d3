// What the boxes of a picture read and what reads them, through the borders of open groups.
const Reach = (() => {
  /** The wires of a picture as a graph. Its vertices are closed boxes, and the ports of open groups. */
  class Graph {
    constructor(root) {
      this.down = new Map();
      this.up = new Map();
      this.itemAt = new Map();
      this.add(root);
    }

    add(group) {
      for (const route of group.routes) {
        const source = route.source ? this.outOf(route.source, route.outPort) : `i${group.box.number}:${route.outPort}`;
        const target = route.target ? this.into(route.target, route.inPort) : `o${group.box.number}:${route.inPort}`;
        push(this.down, source, [target, route]);
        push(this.up, target, [source, route]);
      }
      for (const item of group.items) {
        if (item.open) this.add(item);
        else this.itemAt.set(`b${item.box.number}`, item);
      }
    }

    outOf(item, port) {
      return item.open ? `o${item.box.number}:${port}` : `b${item.box.number}`;
    }

    into(item, port) {
      return item.open ? `i${item.box.number}:${port}` : `b${item.box.number}`;
    }

    /** The vertices at which wires enter (`i`) or leave (`o`) an item. */
    ends(item, side) {
      if (!item.open) return [`b${item.box.number}`];
      const ports = side === "i" ? item.box.ins : item.box.outs;
      return ports.map((_, port) => `${side}${item.box.number}:${port}`);
    }

    /** The closed boxes that an item reads (`up`) or that read it (`down`), in the order of their wires. */
    next(item, way) {
      const edges = way === "up" ? this.up : this.down;
      const waiting = this.ends(item, way === "up" ? "i" : "o");
      const seen = new Set(waiting);
      const found = [];
      while (waiting.length) {
        for (const [vertex] of edges.get(waiting.shift()) ?? []) {
          if (seen.has(vertex)) continue;
          seen.add(vertex);
          if (this.itemAt.has(vertex)) found.push(this.itemAt.get(vertex));
          else waiting.push(vertex);
        }
      }
      return found;
    }

    /** All that an item depends on and all that depends on it: items and wires, itself included. */
    through(item) {
      const items = new Set([item]);
      const routes = new Set();
      const keep = (closed) => {
        for (let at = closed; at; at = at.parent) items.add(at);
      };
      for (const [edges, side] of [[this.up, "i"], [this.down, "o"]]) {
        const waiting = this.ends(item, side);
        const seen = new Set(waiting);
        while (waiting.length) {
          for (const [vertex, route] of edges.get(waiting.pop()) ?? []) {
            routes.add(route);
            if (seen.has(vertex)) continue;
            seen.add(vertex);
            if (this.itemAt.has(vertex)) keep(this.itemAt.get(vertex));
            waiting.push(vertex);
          }
        }
      }
      for (let at = item; at; at = at.parent) items.add(at);
      const inside = (group) => {
        for (const route of group.routes) routes.add(route);
        for (const child of group.items) {
          items.add(child);
          inside(child);
        }
      };
      inside(item);
      return {items, routes};
    }
  }

  function push(map, key, value) {
    if (!map.has(key)) map.set(key, []);
    map.get(key).push(value);
  }

  return {Graph};
})();
