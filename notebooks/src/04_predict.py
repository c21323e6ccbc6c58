# %% [markdown]
# # 04 · Predict: a score that survives the next plate
#
# ## What you will be able to do
#
# - train a model, and test it on cells, wells and plates that it has not seen;
# - say which of these scores holds for your next experiment, and what it has to beat;
# - look at the cells behind each mistake;
# - see a model do worse on a new plate, and bring it back;
# - say whether more wells or a better model would help;
# - make a model say how sure it is, and check that it tells the truth;
# - choose a model for your own data, or decide not to train one.
#
# Run-all: 2 minutes · Learning: 90 minutes · Memory: 1.1 GB

# %%
import pandas as pd

import mlscope_nb as ms

# %% [markdown]
# How much memory is there? A notebook that you closed goes on running, and keeps its memory, until it is shut down.
# Others that are running are listed here, each with a button.

# %%
ms.views.running()

# %% [markdown]
# ## A study with an answer key
#
# Six plates, 16 wells on each, 15 cells in each well, nothing spoilt. A quarter of the wells are controls ("DMSO"), the
# others got one of six treatments. Can a computer tell from one cell alone what was done to it?

# %%
study, truth = ms.datasets.simulate(
    n_plates=6,
    cells_per_well=15,
    faults=0,
)
study = study.with_features(ms.features.measure(study))
study = ms.features.select(study)
study

# %% [markdown]
# ## Train and test
#
# A **model** learns from cells whose treatment it is told (**training**), and guesses that of other cells (**test**).
# Its score is the [**balanced accuracy**](glossary.md#balanced-accuracy): the share recognised of each of the seven
# **classes** (six treatments and the controls), averaged. 1 is always right; guessing gives 1/7, that is 0.14.
#
# (The note on yellow is a reminder, not an error: nothing has been normalised yet. You will see what that costs.)
#
# The question that matters: *which* other cells?
#
# ## Predict first

# %%
ms.lessons.predict("04_predict/split")

# %% [markdown]
# The same model three times. First the test cells are drawn at random; then whole wells are [held
# out](glossary.md#held-out); then whole plates. (The first plot of a notebook takes a few seconds.)

# %%
by_cell = ms.predict.cross_validate(study, by="cell", baselines=False)
by_well = ms.predict.cross_validate(study, baselines=False)
by_plate = ms.predict.cross_validate(study, by="plate")

# %%
scores = {"random cells": by_cell, "new wells": by_well}
scores["new plates"] = by_plate
ms.views.estimates(scores)

# %% [markdown]
# The dot is the score, the bar its 95 % interval, the dashed line is guessing. The random split scores highest, on a
# question that you will never have: its test cells have neighbours from the same well in the training. Your next
# experiment is a **new plate**. That interval is the widest, because there are only six plates.

# %%
ms.lessons.check("04_predict/split")

# %% [markdown]
# ## Exercise 1: how much did it flatter?
#
# `by_cell.balanced_accuracy` is the first score, `by_plate.balanced_accuracy` the last. **How much higher is the random
# split?**

# %% tags=["exercise"]
flattered = ...  # change me

# %% tags=["solution"]
flattered = by_cell.balanced_accuracy - by_plate.balanced_accuracy

# %%
ms.lessons.check("04_predict/flattered", flattered, of=(by_cell, by_plate))

# %%
ms.lessons.hint("04_predict/flattered")

# %% [markdown]
# ## What it has to beat
#
# A score means something only beside others. Could the treatment be told without looking at the cell: from how many
# cells there are, how large, how bright, or from the empty background around it? And what does the model score when the
# treatments are exchanged between wells, so that there is nothing to learn?

# %%
ms.views.estimates(by_plate)

# %% [markdown]
# `logistic` is the model, `majority` always names the most frequent treatment, `density` counts the cells nearby,
# `metadata` knows only where the well lies, and `permuted labels` are treatments that were exchanged.
#
# The model is far above all of them. **Look at the row "background pixels" first, always**: where the background alone
# tells the treatment, the model may have learned the plate, the day or the microscope.
#
# ## Where is it wrong?
#
# Rows are what was done, columns what the model said. **Click a number** (or go there with Tab and the arrow keys, and
# press Enter): its cells appear on the right.

# %%
table = ms.views.confusion(study, by_plate)
table

# %% [markdown]
# Would you have told these cells apart? The answer key knows which of them responded to the treatment at all. (Without
# a mouse: the next cell takes the cells treated with `granular` that were called "DMSO". Change the names as you like.)

# %%
clicked = list(table.selected)
asked = list(by_plate.cells_of("granular", "DMSO"))
name = "04_predict/my_mistakes"
mine = ms.lessons.checkpoint(name, clicked, otherwise=asked)
responds = truth.obs["responder"]
treated = responds[~study.controls]
print(f"{len(mine)} cells, {100 * responds[mine].mean():.0f} % responded")
print(f"of all treated cells: {100 * treated.mean():.0f} %")

# %% [markdown]
# A treated cell that did not respond looks like a control because it *is* like one: no model can recognise it. Over all
# treated cells:

# %%
right = by_plate.predictions["given"] == by_plate.predictions["predicted"]
yes, no = ~study.controls & responds, ~study.controls & ~responds
print(f"recognised of those that respond: {right[yes].mean():.2f}")
print(f"recognised of those that do not:  {right[no].mean():.2f}")

# %% [markdown]
# ## Exercise 2: the hardest
#
# `by_plate.per_class` has a row for each class: the treatments and the controls. Its column `recall` is the share
# recognised. **Which class is recognised worst?** Write its name, in quotation marks.

# %%
recall = by_plate.per_class["recall"]
recall.round(2)

# %% tags=["exercise"]
worst = ...  # change me

# %% tags=["solution"]
worst = recall.idxmin()

# %%
ms.lessons.check("04_predict/worst", worst, of=-recall)

# %%
ms.lessons.hint("04_predict/worst")

# %% [markdown]
# ## Teach one yourself
#
# Often nobody knows the right answer before a person has looked. Then you label a few cells, train, look at those that
# the model [**doubts**](glossary.md#active-learning) most, correct, and train again. Here with two classes only,
# controls and `elongated`: **label six cells of each, from different plates** (click a cell, press 1 or 2), press
# "Train", then "Show uncertain". One well in three is locked away: the score is about wells that nobody taught from.

# %%
pair = study.subset(study.labels.isin(["DMSO", "elongated"]))
coach = ms.views.label_train_correct(pair, truth="label", autosave=False)
coach

# %% [markdown]
# (Without a mouse, and where nothing was trained yet: the next cell labels six of each class, spread over the study.)

# %%
kinds = pair.labels.drop(coach.locked)
if len(coach.history) == 0:
    coach.select(kinds.index[kinds == "DMSO"][::40]).assign("DMSO")
    coach.select(kinds.index[kinds == "elongated"][::20]).assign("elongated")
    coach.train()
shown = ["number", "n_labelled", "balanced_accuracy", "low", "high"]
coach.history[shown].round(2)

# %% [markdown]
# A dozen labels say a lot about wells never seen, if they come from many wells. Had you labelled the first cells of the
# table, which all lie on one plate, the score would hardly have been above guessing.
#
# And the doubts of the model? In a study of our own they were *not* better cells to label than cells drawn at random:
# many of them are cells that did not respond, and no label helps there. Measure it (`ms.predict.active_learning`).
#
# ## The next plate
#
# So far the model learned from five plates. Many studies have one. What then?
#
# ## Predict first

# %%
ms.lessons.predict("04_predict/one_plate")

# %% [markdown]
# Each row is a model that learned from one plate only, each column the plate that it is tested on. On the diagonal it
# is tested on other wells of its own plate.

# %%
matrix = ms.predict.transfer(study, normalize=[None, "standardize"])
limits = (0.25, 0.7)
raw = matrix.loc["none"]
ms.views.matrix(raw, label="balanced accuracy", limits=limits)

# %% [markdown]
# Plates differ in stain and lamp, so a model of one plate does worse on another. The last row learned from all the
# others: it has seen that plates differ.
#
# Now each plate is put on the scale of its own controls first ([**normalising**](glossary.md#normalisation), notebook
# 01):

# %%
normal = matrix.loc["standardize"]
ms.views.matrix(normal, label="balanced accuracy", limits=limits)

# %% [markdown]
# In numbers: the mean over other wells of the same plate, over new plates, and the `gap` between them with its interval
# over the plates:

# %%
gaps = pd.DataFrame(matrix.attrs["gaps"]).T
gaps[["within", "new", "gap", "low", "high"]].round(2)

# %%
ms.lessons.check("04_predict/one_plate")

# %% [markdown]
# ## What brings it back
#
# Does it help the model of five plates too? The controls of a plate that was held out may be used: you have them on
# every new plate, and they say nothing about the treatments.

# %%
scaled = {"normalize": "standardize", "baselines": False}
better = ms.predict.cross_validate(study, by="plate", **scaled)
print("gain:", better.against(by_plate))

# %% [markdown]
# It gained, but its interval reaches below zero: six plates are not enough to be sure. It costs nothing, and on the
# model of one plate you have seen what it is good for.
#
# ## More wells?
#
# How good was the model with fewer wells to learn from, and what would more of them bring? Whole wells are left out,
# never single cells.

# %%
options = {"normalize": "standardize", "n_draws": 3}
curve = ms.predict.learning_curve(study, by="plate", **options)
ms.views.learning_curve(curve)

# %% [markdown]
# Filled points were measured. Open circles are **foreseen**: the curve that fits the points, carried on to twice and
# four times as many wells. The band holds what this study would show with so many wells; with all that it has, this was
# measured, and the band closes. A forecast can miss.
#
# ## Exercise 3: enough wells
#
# **With how many wells to train on did the model first reach 0.5?** Look at the rows that were measured.

# %%
measured = curve[curve["kind"] == "measured"]
measured[["n_units", "balanced_accuracy"]].round(3)

# %% tags=["exercise"]
enough = ...  # change me

# %% tags=["solution"]
enough = measured.loc[measured["balanced_accuracy"] >= 0.5, "n_units"].min()

# %%
ms.lessons.check("04_predict/enough", enough, of=measured)

# %%
ms.lessons.hint("04_predict/enough")

# %% [markdown]
# ## How sure is it?
#
# A model gives a [**probability**](glossary.md#calibration) for each treatment. If it answers only where it is sure,
# it should be right more often:

# %%
sure = ms.predict.abstention(better)
sure[["accuracy", "low", "high"]].round(2)

# %% [markdown]
# Each row answers a smaller share of the cells: 1.0 all of them, 0.3 the surest three of ten. (`accuracy` counts every
# cell once, so its first row is not quite the balanced accuracy.)
#
# Another way: not one answer but a [**set**](glossary.md#prediction-set) of treatments that holds the right one in 9
# of 10 cells. The promise is made on four plates. Does it hold on the two others?

# %%
four = study.obs["plate"].isin(["P1", "P2", "P3", "P4"])
known, new = study.subset(four), study.subset(~four)
promise = ms.predict.conformal(better, known, level=0.9)
sets = promise.sets(better.probabilities.loc[new.ids])
kept = ms.predict.coverage(sets, new.labels, new)
kept[["coverage", "low", "high", "mean_size"]].round(2)

# %% [markdown]
# `coverage` is how often the set held the right treatment, `mean_size` how many of the seven classes stand in it. A
# promise made on some plates is a promise about plates like them.

# %% [markdown]
# ## Which model for these data?
#
# We used a simple model of measured features. There are larger ones: a network that has seen a million photographs
# describes a cell by 1,280 numbers per channel. Is it better? `recommend` asks that, after asking whether anything
# should be trained at all. (First the network looks at all cells, which takes a few seconds.)

# %%
deep = ms.features.embed_pretrained(study)
deep.shape

# %%
models = ["classical", "classical and pretrained"]
advice = ms.predict.recommend(study, models, n_permutations=9)
advice

# %%
ms.views.estimates(advice.evaluations)

# %% [markdown]
# And in a study in which no treatment does anything? Here is one, simulated.

# %%
nothing, _ = ms.datasets.simulate(
    n_plates=4,
    cells_per_well=10,
    faults=0,
    strength=0,
)
ms.predict.recommend(nothing, ["classical"])

# %% [markdown]
# ## Exercise 4: is it worth it?
#
# `advice.options` has the gain over the simplest model, with its interval. **Is the gain of the larger model surely
# above zero?** Answer `True` or `False`.

# %%
advice.options.round(3)

# %% tags=["exercise"]
worth_it = ...  # change me

# %% tags=["solution"]
worth_it = bool(advice.options["gain_low"].iloc[-1] > 0)

# %%
ms.lessons.check("04_predict/worth_it", worth_it, of=advice.options)

# %%
ms.lessons.hint("04_predict/worth_it")

# %% [markdown]
# ## What goes wrong here
#
# 1. **Testing on neighbours.** A random split tests on wells that were trained on. Hold out what will be new: plates.
# 2. **A score without company.** Guessing, background pixels and exchanged labels stand beside it, or it means nothing.
# 3. **One plate.** A model of one plate knows that plate.
# 4. **Choosing the model by the test.** Each look at the test makes it a little less of a test.
# 5. **A larger model instead of more wells.** Ask the [learning curve](glossary.md#learning-curve).

# %% [markdown]
# ## What to take home
#
# 1. **Say what is new**: a cell, a well or a plate. Then hold it out.
# 2. **Intervals over plates**, not over cells.
# 3. **Look at the mistakes.** Some of them are not mistakes.
# 4. **Normalise to the controls of each plate.**
# 5. **Sometimes the right answer is: do not train.**

# %% [markdown]
# ## The same on your own data
#
# ```python
# cells = ms.features.select(cells.with_features(ms.features.measure(cells)))
# cells = cells.with_design(label="treatment", unit=("plate", "well"), batch="plate")
#
# print(ms.predict.recommend(cells))                      # which model, or why none
# found = ms.predict.cross_validate(cells, by="plate", normalize="standardize")
# ms.views.estimates(found)                               # beside what it has to beat
# ms.views.confusion(cells, found)                        # the cells behind each mistake
#
# ms.predict.transfer(cells)                              # plate by plate
# ms.views.learning_curve(ms.predict.learning_curve(cells))
# ms.predict.calibrate(cells)                             # are probabilities to be believed?
# ms.predict.novelty(cells)                               # cells unlike anything in training
# model = ms.predict.train_model(cells, normalize="standardize")   # then use it: model.predict(new_cells)
# ```

# %% [markdown]
# ## Where to go next
#
# A model that is right may be right for the wrong reason. What it looks at, and how to find out whether that is the
# cell, is what notebook `06_explain` is about. How far did you get today?

# %%
ms.lessons.progress("04_predict")

# %% [markdown]
# Finished? Shut this notebook down, so that the next one has its memory. Your labels and answers are kept.

# %%
ms.views.shut_down()
