function render(context) {
  return drawWorkbench(context);
}

export default { render };
