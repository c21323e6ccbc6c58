"""Questions that are answered before the cells are run."""

from __future__ import annotations

from typing import Any

from mlscope_nb.lessons import answers
from mlscope_nb.lessons.cards import bullets, card, inline, paragraphs
from mlscope_nb.lessons.lesson_file import find_prediction
from mlscope_nb.lessons.questions import Choice, PredictQuestion

_STYLE = """<style>
.mlscope-predict { --jp-widgets-font-size: 16px; --jp-widgets-inline-height: auto; overflow: visible; }
.mlscope-predict .widget-radio-box label { white-space: normal; height: auto; line-height: 1.5; }
.mlscope-predict .widget-radio-box { height: auto; overflow: visible; }
.mlscope-predict button { align-self: flex-start; width: auto; height: auto; padding: 4px 14px; }
.mlscope-predict :is(input, button):focus-visible { outline: 3px solid var(--jp-brand-color1, #1976d2); }
</style>"""


def predict(question_id: str) -> Prediction:
    """Ask a question before the cells that answer it are run, and keep the learner's prediction.

    Parameters
    ----------
    question_id : str
        Notebook and name, as in ``texts/<notebook>.toml``.

    Returns
    -------
    Prediction
        Shows the question with its choices; restored when the kernel restarts.

    Raises
    ------
    ValueError, FileNotFoundError
        No such question, or it is not one to predict.

    Examples
    --------
    >>> import mlscope_nb as ms
    >>> print(ms.lessons.predict("00_start_here/position"))  # doctest: +ELLIPSIS
    Predict before you run: ...
    """
    return Prediction(find_prediction(question_id))


class Prediction:
    """A question to predict and the learner's answer to it so far."""

    def __init__(self, question: PredictQuestion) -> None:
        self.question = question

    @property
    def choice(self) -> Choice | None:
        """The choice that the learner recorded last, or None."""
        return predicted(self.question)

    def record(self, key: str) -> None:
        """Keep a choice as the learner's prediction; ValueError names the choices."""
        answers.record(self.question.id, "predict", self.question.choice(key).key)

    def __str__(self) -> str:
        return f"{self._question()}\n{self._choices()}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._card() + self._choices_html()

    def _ipython_display_(self) -> None:
        """Show the question as HTML, which a saved notebook keeps, and the buttons, which need a kernel."""
        from IPython.display import display

        display({"text/html": self._card(), "text/plain": self._question()}, raw=True)
        buttons = dict(self._buttons()._repr_mimebundle_())
        display(buttons | {"text/html": self._choices_html(), "text/plain": self._choices()}, raw=True)

    def _question(self) -> str:
        return f"Predict before you run: {self.question.text}"

    def _card(self) -> str:
        return card("Predict before you run", [paragraphs(self.question.text)])

    def _choices(self) -> str:
        return "\n".join([*(f"  - {choice.text}" for choice in self.question.choices), self._status()])

    def _choices_html(self) -> str:
        return bullets((choice.text, "") for choice in self.question.choices) + paragraphs(self._status())

    def _status(self) -> str:
        choice = self.choice
        return f"You predicted: {choice.text}. You can still change it." if choice else "Not answered yet."

    def _buttons(self) -> Any:
        import ipywidgets as widgets

        current = self.choice
        radio = widgets.RadioButtons(
            options=[(choice.text, choice.key) for choice in self.question.choices],
            value=None if current is None else current.key,
            layout={"width": "auto"},
        )
        button = widgets.Button(description="Record my prediction", disabled=current is None)
        status = widgets.HTML(self._live())

        def chosen(_: object) -> None:
            button.disabled = radio.value is None

        def recorded(_: object) -> None:
            self.record(radio.value)
            status.value = self._live()

        radio.observe(chosen, "value")
        button.on_click(recorded)
        box = widgets.VBox([widgets.HTML(_STYLE), radio, button, status])
        box.add_class("mlscope-predict")
        return box

    def _live(self) -> str:
        lines = [self._status(), *answers.read().notes]
        text = "".join(f"<p style='margin:2px 0'>{inline(line)}</p>" for line in lines)
        return f"<div role='status' style='font-size:16px;line-height:1.5'>{text}</div>"


def predicted(question: PredictQuestion) -> Choice | None:
    """Return the learner's latest prediction, or None (also for a choice that is no more)."""
    entry = answers.read().last(question.id, "predict")
    kept = None if entry is None else entry.value
    return next((choice for choice in question.choices if choice.key == kept), None)
