// The browser's half of a question: native controls in fieldsets, and a live region for what the kernel says.

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "html") made.innerHTML = value; // from the kernel, which escapes what it quotes
    else if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function render({ model, el }) {
  // Several views of one question may stand on a page: each needs ids and radio groups of its own.
  const unique = `lesson-${Math.random().toString(36).slice(2)}`;
  const send = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
  };

  const form = element("form", { className: "lesson-question" });
  form.append(element("div", { className: "lesson-label", textContent: model.get("label") }));
  const question = element("div", { className: "lesson-text", id: `${unique}-question`, html: model.get("question") });
  form.append(question);

  const kind = model.get("kind");
  const inputs = [];
  let field;
  if (kind === "one" || kind === "several") {
    const group = element("fieldset", { "aria-labelledby": question.id });
    model.get("options").forEach((option, index) => {
      const input = element("input", { type: kind === "one" ? "radio" : "checkbox", name: `${unique}-option` });
      input.addEventListener("change", () =>
        send({ chosen: inputs.flatMap((other, at) => (other.checked ? [at] : [])) }),
      );
      inputs.push(input);
      group.append(element("label", {}, input, element("span", { html: option })));
    });
    form.append(group);
  } else if (kind === "number") {
    field = element("input", { type: "text", inputMode: "decimal", autocomplete: "off" });
    field.setAttribute("aria-labelledby", `${question.id} ${unique}-unit`);
    field.addEventListener("input", () => send({ typed: field.value }));
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // inside JupyterLab a browser does not submit by itself
      form.requestSubmit();
    });
    form.append(
      element("div", { className: "lesson-number" }, field,
        element("span", { id: `${unique}-unit`, textContent: model.get("unit") })),
    );
  }

  const sure = [];
  if (model.get("confidences").length) {
    const group = element("fieldset", { className: "lesson-row" }, element("legend", { textContent: "How sure are you?" }));
    for (const confidence of model.get("confidences")) {
      const input = element("input", { type: "radio", name: `${unique}-sure`, value: confidence });
      input.addEventListener("change", () => send({ confidence }));
      sure.push(input);
      group.append(element("label", {}, input, element("span", { textContent: confidence })));
    }
    form.append(group);
  }
  if (model.get("button")) {
    const button = element("button", { type: "submit", textContent: model.get("button") });
    button.setAttribute("aria-describedby", question.id);
    form.append(button);
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (model.get("button")) send({ asked: model.get("asked") + 1 });
  });

  const status = element("div", { className: "lesson-remarks", role: "status" });
  form.append(status);

  // JupyterLab takes the arrow keys, Enter and letters for the notebook's own, unless the very element with the focus says no.
  for (const control of form.querySelectorAll("input, button")) control.setAttribute("data-lm-suppress-shortcuts", "true");

  const showAnswer = () => {
    inputs.forEach((input, index) => (input.checked = model.get("chosen").includes(index)));
    sure.forEach((input) => (input.checked = input.value === model.get("confidence")));
    if (field && field.value !== model.get("typed")) field.value = model.get("typed");
  };
  const showRemarks = () =>
    status.replaceChildren(
      ...model.get("remarks").map(({ tone, head, text }) =>
        element("p", { className: `lesson-${tone}` }, element("strong", { html: head }), " ", element("span", { html: text })),
      ),
    );
  const listen = [
    ["change:chosen change:confidence change:typed", showAnswer],
    ["change:remarks", showRemarks],
  ];
  for (const [names, listener] of listen) model.on(names, listener);
  showAnswer();
  el.append(form);
  // A live region speaks of what changes once it stands on the page.
  requestAnimationFrame(showRemarks);
  return () => {
    for (const [names, listener] of listen) model.off(names, listener);
  };
}

export default { render };
