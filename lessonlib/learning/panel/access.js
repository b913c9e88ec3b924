// What ipywidgets' controls lack, for all that stand in the panel: arrow keys that work, and a voice.

function render({ model, el }) {
  const voice = document.createElement("div");
  voice.setAttribute("role", "status");
  voice.className = "failure-lab-voice";
  el.append(voice);
  const speak = () => (voice.textContent = model.get("said"));
  model.on("change:said", speak);

  // JupyterLab takes arrow keys, Enter and letters for the notebook's own, unless the very element with the focus
  // says no. Where one writes, it knows by itself.
  const quiet = ({ target }) => {
    if (target.matches("select, button, input[type=range]")) target.setAttribute("data-lm-suppress-shortcuts", "true");
  };
  let panel = null;
  requestAnimationFrame(() => {
    panel = el.closest(".failure-lab");
    panel?.addEventListener("focusin", quiet);
    speak();  // a live region speaks of what changes once it stands on the page
  });
  return () => {
    model.off("change:said", speak);
    panel?.removeEventListener("focusin", quiet);
  };
}

export default { render };
