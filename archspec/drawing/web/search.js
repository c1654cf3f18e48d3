// Finding boxes by name, op and text.
const Search = (() => {
  /** A text as it is compared: small letters, and x for ×. */
  const plain = (text) => text.toLowerCase().replace(/×/g, "x").replace(/−/g, "-");

  /** What a box is found by: its name, op and lines. */
  function textOf(network, box) {
    if (box.found === undefined) {
      const {op = "", says = "", lines = [], family = "", change = ""} = box.kind;
      box.found = plain([box.label, op, says, family, Draw.CHANGES[change] ?? change, ...lines.map(([text]) => text)].join("\n"));
    }
    return box.found;
  }

  const matches = (network, box, words) =>
    words.every((word) => (word.includes(".") && plain(box.path).includes(word)) || textOf(network, box).includes(word));

  /**
   * All boxes that have every word of a query, in the order of the network. Of the copies that a fold stands for,
   * only the first are told, unless it is their own names that match.
   */
  function find(network, query) {
    const words = plain(query).split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const found = [];
    const visit = (box, twin) => {
      const folded = box.isFold && !box.unfolded;
      const hits = (one) => matches(network, one, words) || (folded && matches(network, one.children[0], words));
      const told = twin > 0 && hits(network.boxes[box.number - twin]);
      if (box !== network.root && (!box.isFold || folded) && hits(box) && !told) found.push(box);
      box.children.forEach((child, k) => {
        const apart = folded ? child.number - box.children[0].number : 0;
        if (folded && k === 0) {
          child.children.forEach((inner) => visit(inner, twin));
        } else {
          visit(child, apart || twin);
        }
      });
    };
    visit(network.root, 0);
    const exact = plain(query.trim());
    const rank = (box) => (plain(box.label) === exact ? 0 : plain(box.label).startsWith(exact) ? 1 : 2);
    return found.map((box, k) => [rank(box), k, box]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, , box]) => box);
  }

  return {find};
})();
