// A new API token. It comes as a message, to this page alone, and is neither in a trait nor in the saved notebook.

export default {
  render({ model, el }) {
    const root = make("section", { class: "qpi-token", "aria-label": "New API token", role: "status" });
    const hear = ({ name, token }) => {
      if (!token) {
        root.replaceChildren(make("strong", {}, name), make("p", {}, "This token was shown once; it is not shown again."));
        return;
      }
      const copy = make("button", { type: "button" }, "Copy");
      copy.addEventListener("click", async () => {
        await navigator.clipboard.writeText(token);
        copy.textContent = "Copied";
      });
      root.replaceChildren(
        make("strong", {}, name), make("code", {}, token), copy,
        make("p", {}, "Copy it now: it is shown this once, and the notebook does not save it."),
      );
    };
    model.on("msg:custom", hear);
    model.send({ do: "show" });
    el.replaceChildren(root);
    return () => model.off("msg:custom", hear);
  },
};
