// Draws the figures, sorts the tables, enlarges the pictures. Plain JavaScript; without it every number is still there.
(() => {
  "use strict";
  const night = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const source = document.getElementById("figure-data").textContent;
  const dark = JSON.parse(document.getElementById("dark-colours").textContent);
  const settings = {
    responsive: true,
    displaylogo: false,
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  };

  // The same figures in the colours of day or night. `width`: in pixels, for print; else as wide as the page.
  const draw = (isDark, width) => {
    if (typeof Plotly === "undefined") return;
    let text = source;
    if (isDark) for (const [light, other] of Object.entries(dark)) text = text.replaceAll(`"${light}"`, `"${other}"`);
    const figures = JSON.parse(text);
    for (const element of document.querySelectorAll("[data-figure]")) {
      const { data, layout } = figures[element.dataset.figure];
      if (touch) layout.dragmode = false; // a finger that scrolls the page must not zoom
      if (width) Object.assign(layout, { width: element.closest(".slices") ? width / 2.2 : width, autosize: false });
      layout.hoverlabel = { ...layout.hoverlabel, bgcolor: isDark ? "#232c35" : "#ffffff", bordercolor: dark["#e6eaee"] };
      const pressed = document.querySelector(`[data-for="${element.dataset.figure}"] [aria-pressed=true][data-range]`);
      if (pressed) layout.yaxis.range = pressed.dataset.range.split(",").map(Number);
      Plotly.react(element, data, layout, { ...settings, displayModeBar: touch || element.clientWidth < 600 ? false : "hover" });
    }
  };
  draw(night.matches);
  night.addEventListener("change", () => draw(night.matches));
  addEventListener("beforeprint", () => draw(false, 660));
  addEventListener("afterprint", () => draw(night.matches));

  for (const button of document.querySelectorAll(".zoom button")) {
    button.addEventListener("click", () => {
      for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
      const element = document.querySelector(`[data-figure="${button.parentElement.dataset.for}"]`);
      const range = button.dataset.range;
      Plotly.relayout(element, range ? { "yaxis.range": range.split(",").map(Number) } : { "yaxis.autorange": true });
    });
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, index) => {
      heading.querySelector("button").addEventListener("click", () => {
        const down = heading.getAttribute("aria-sort") === "ascending";
        for (const other of headings) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = (row) => row.cells[index].dataset.sort ?? row.cells[index].textContent;
        const body = table.tBodies[0];
        [...body.rows]
          .map((row) => [key(row), row])
          .sort(([a], [b]) => {
            if ((a === "") !== (b === "")) return a === "" ? 1 : -1; // what has no value stays below
            const [x, y] = [Number(a), Number(b)];
            const order = Number.isNaN(x) || Number.isNaN(y) ? String(a).localeCompare(String(b)) : x - y;
            return down ? -order : order;
          })
          .forEach(([, row]) => body.append(row));
      });
    });
  }

  for (const button of document.querySelectorAll(".enlarge")) {
    button.addEventListener("click", () => button.closest("figure").classList.toggle("wide"));
  }
})();
