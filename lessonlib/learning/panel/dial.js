// The browser's half of a dial: a native range with a label, and a number field for what a drag cannot hit.

function render({ model, el }) {
  const id = `dial-${Math.random().toString(36).slice(2)}`; // each widget has a module of its own: a counter would not do
  const { low, high, step, wide, unit, label, help } = Object.fromEntries(
    ["low", "high", "step", "wide", "unit", "label", "help"].map((name) => [name, model.get(name)]));
  const text = document.createElement("label");
  const range = document.createElement("input");
  const field = document.createElement("input");
  text.textContent = label;
  text.htmlFor = range.id = id;
  range.type = "range";
  field.type = "number";
  field.setAttribute("aria-label", `${label}, as a number`);
  // JupyterLab takes the arrow keys for the notebook's own unless the element with the focus says no.
  range.setAttribute("data-lm-suppress-shortcuts", "true");
  text.title = range.title = field.title = help;
  Object.assign(field, { min: low, max: high, step });
  Object.assign(range, wide ? { min: 0, max: 100, step: 1 } : { min: low, max: high, step });
  const base = low > 0 ? low : step;
  const toValue = (at) => {
    if (!wide) return Number(at);
    if (Number(at) === 0) return low;
    const raw = base * Math.pow(high / base, at / 100);
    const digit = Math.pow(10, Math.floor(Math.log10(raw)) - 1);  // two digits are exact enough to drag to
    return fit(Math.round(raw / digit) * digit);
  };
  const toPosition = (value) =>
    !wide ? value : value <= base ? 0 : 100 * Math.log(value / base) / Math.log(high / base);
  const fit = (value) => {
    const steps = Math.round((value - low) / step);
    return Number(Math.min(high, Math.max(low, low + steps * step)).toFixed(9));
  };
  const show = () => {
    const value = model.get("value");
    range.value = toPosition(value);
    range.setAttribute("aria-valuetext", `${value} ${unit}`);
    field.value = value;
  };
  const set = (value) => {
    model.set("value", value);
    model.save_changes();
  };
  range.addEventListener("input", () => {
    const before = model.get("value");
    const moved = Math.sign(range.value - Math.round(toPosition(before)));
    const value = toValue(range.value);
    // Low on a wide scale one position is less than one step; an arrow key must move it all the same.
    set(value === before ? fit(before + moved * step) : value);
    show();
  });
  const take = () => {
    if (field.value !== "") set(fit(Number(field.value)));
    show();
  };
  field.addEventListener("change", take);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") take();  // inside JupyterLab, Enter alone makes no change
  });
  model.on("change:value", show);
  el.append(text, range, field);
  show();
  return () => model.off("change:value", show);
}
export default { render };
