const charts = JSON.parse(document.getElementById("data").textContent);
const ours = (value, unit) => `${Number(value.toPrecision(4))}${unit ? ` ${unit}` : ""}`;

function nearest(points, step) {
  let low = 0, high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= step) low = middle; else high = middle;
  }
  return step - points[low][0] <= points[high][0] - step ? points[low] : points[high];
}

function line(kind, text, run) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (run !== undefined) made.className = `c${run}${text.includes("(training)") ? " dash" : ""}`;
  return made;
}

for (const figure of document.querySelectorAll(".chart")) {
  const chart = charts[Number(figure.dataset.chart)], told = figure.querySelector(".told");
  for (const svg of figure.querySelectorAll(":scope > svg")) {
    const [left, right] = svg.dataset.frame.split(" ").map(Number), last = Number(svg.dataset.last);
    const cursor = svg.querySelector(".cursor"), wide = svg.viewBox.baseVal.width;
    const hide = () => { told.hidden = true; cursor.setAttribute("visibility", "hidden"); };
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect(), scale = box.width / wide;
      const at = ((event.clientX - box.left) / scale - left) / (right - left) * last;
      if (at < -0.02 * last || at > 1.02 * last) return hide();
      const step = chart.curves.map((curve) => nearest(curve.points, at)[0])
        .reduce((one, two) => Math.abs(two - at) < Math.abs(one - at) ? two : one);
      const epoch = chart.epoch ? `, epoch ${Number((step / chart.epoch).toFixed(2))}` : "";
      told.replaceChildren(line("b", `step ${step.toLocaleString("en")}${epoch}`));
      for (const curve of chart.curves) {
        if (step > curve.points[curve.points.length - 1][0]) continue;
        const [there, value] = nearest(curve.points, step);
        const apart = there === step ? "" : ` at ${there.toLocaleString("en")}`;
        told.append(line("span", `${curve.name}: ${ours(value, chart.unit)}${apart}`, curve.run));
      }
      const x = left + (right - left) * step / last;
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      cursor.setAttribute("visibility", "visible");
      told.hidden = false;
      const room = figure.clientWidth - told.offsetWidth, beside = x * scale + 14;
      told.style.left = `${Math.max(0, beside <= room ? beside : x * scale - 14 - told.offsetWidth)}px`;
      told.style.top = `${box.top - figure.getBoundingClientRect().top + 28}px`;
    });
  }
}
