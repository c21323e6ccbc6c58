function render(context) {
  const view = drawField(context);
  return () => view.end();
}

export default { render };
