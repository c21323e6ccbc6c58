# %% [markdown]
# # 02 · Curate: find what is wrong with the data before the model does
#
# ## What you will be able to do
#
# - score the quality of every cell, and choose a threshold by looking at what it would leave out;
# - say what an automatic score misses;
# - notice when a filter takes more of one treatment than of the others;
# - find cells that were photographed twice, wells that were mixed up, and labels that are wrong;
# - write down each decision so that it can be read, checked and taken back;
# - tell a filter that cleans from a filter that flatters.
#
# Run-all: 2 minutes · Learning: 80 minutes · Memory: 800 MB

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
# We let the computer draw a study: 4 plates, 16 wells on each, 20 cells in each well. Into it we planted what goes
# wrong in any laboratory. `truth` knows where; it is the [answer key](glossary.md#answer-key), and we open it piece by
# piece.

# %%
study, truth = ms.datasets.simulate(
    n_plates=4,
    cells_per_well=20,
    swapped_wells=2,
)
study

# %% [markdown]
# ## Predict first

# %%
ms.lessons.predict("02_curate/spoilt")

# %% [markdown]
# Look at the first cells, four rows of them. Which ones would you rather not have in your table?

# %%
ms.views.gallery(study, rows=4)

# %% [markdown]
# Now open the answer key a little: how many cells are spoilt, and how? (`none` means that nothing is wrong.)

# %%
fault = truth.obs["fault"]
fault.value_counts()

# %% [markdown]
# - `defocus`: out of focus · `saturation`: exposed too long · `debris`: a fibre or a crumb lies there
# - `empty`: an object without a cell · `touching`: two cells in one outline · `cut`: cut by the edge of the picture
#
# More than one cell in ten.

# %%
ms.lessons.check("02_curate/spoilt")

# %% [markdown]
# ## Scores
#
# Nobody looks through thousands of cells by eye. So we let the computer give **scores**.

# %%
scores = ms.curate.score_quality(study)
wanted = ["focus", "saturation", "empty", "cut", "touching", "debris"]
scores[wanted].head().round(2)

# %% [markdown]
# One number for each question. `focus` is the share of fine detail in the light of the cell: it does not change when
# the picture is made brighter. `cut` is the share of the outline at the edge of the picture. `debris` asks whether one
# channel shows something bright that the cells of this plate do not have there. All names, and what they mean:
# `help(ms.curate.score_quality)`.
#
# On the map below, left is blurred and right is sharp; low is small and high is large (1 is twice the usual area on its
# plate). **Draw around the points on the far left.** What do these cells look like?

# %%
judged = study.with_obs(scores[["focus", "size", "debris"]])
view = ms.views.explore(judged, ("focus", "size"), colour="plate")
view

# %% [markdown]
# (Without a mouse: the next cell selects the same cells by a question in words.)

# %%
view.select(judged.where("focus < 0.4").ids)
len(view.selected)

# %% [markdown]
# ## Where to draw the line
#
# Blurred cells were easy: two clouds with a gap between them. Most scores are not so kind. Take `debris`, the dirt.
#
# A **threshold** turns a score into a decision: above it, out. Move the slider (with the mouse, or with the arrow keys)
# and watch the pictures of what you would leave out.
#
# Two numbers tell how good a threshold is. [**Precision**](glossary.md#precision-and-recall): of the cells that you
# leave out, which part is truly dirty? **Recall**: of all truly dirty cells, which part do you leave out? You can only
# know them here, because there is an answer key.

# %%
dirty = fault == "debris"
tuner = ms.views.tune_threshold(study, scores, "debris", truth=dirty)
tuner

# %% [markdown]
# Go far to the right: what you leave out is dirty, but much dirt stays in. Go far to the left: nearly all dirt is out,
# and hundreds of good cells with it. You cannot have both. Write down the threshold that you would choose.

# %% tags=["exercise"]
threshold = ...  # change me

# %% tags=["solution"]
threshold = 4.5

# %%
name = "02_curate/my_threshold"
mine = ms.lessons.checkpoint(name, threshold, otherwise=4.5)
out = scores["debris"] > mine
print("left out:", out.sum(), " dirty:", dirty.sum())
print("left out and dirty:", (out & dirty).sum())

# %% [markdown]
# ## Exercise 1: recall
#
# From these three numbers: **which part of all dirty cells does your threshold find?** (0.5 would be one half.)

# %% tags=["exercise"]
recall = ...  # change me

# %% tags=["solution"]
recall = (out & dirty).sum() / dirty.sum()

# %%
ms.lessons.check("02_curate/recall", recall, of=(out, dirty))

# %%
ms.lessons.hint("02_curate/recall")

# %% [markdown]
# ## Thresholds without an answer key
#
# In your own data nobody tells you who is blurred. But you have [**controls**](glossary.md#control): untreated cells
# on every plate. The computer looks at how the controls of a plate scatter, and flags what lies far outside (more than
# five deviations). Each flag comes with its reason.

# %%
flags = ms.curate.flag_quality(scores, study)
print(flags["flagged"].sum(), "of", len(flags), "cells flagged")
flags.loc[flags["flagged"], ["reason"]].head(4).style

# %%
ms.views.gallery(study, flags["flagged"], rows=4)

# %% [markdown]
# Nothing was removed. These are proposals. Compare them with the answer key: each row is a kind of fault, each column
# says whether it was flagged.

# %%
pd.crosstab(fault, flags["flagged"])

# %% [markdown]
# ## What the automatic score misses
#
# Some of the spoilt cells were not flagged. Here they are. Would *you* have found them?

# %%
missed = (fault != "none") & ~flags["flagged"]
ms.views.gallery(study, missed, rows=2)

# %% [markdown]
# You see the fibres at once. The score does not: they are hardly brighter than the bright spots that every cell has,
# and it knows nothing about shapes. That is what looking is for. A lower threshold finds more of them, and takes good
# cells along, as you have seen.
#
# ## Exercise 2: how much is missed?
#
# `missed` is True for each spoilt cell that was not flagged. **Which part of all spoilt cells was missed?** The spoilt
# ones are `fault != "none"`.

# %% tags=["exercise"]
share = ...  # change me

# %% tags=["solution"]
share = missed.sum() / (fault != "none").sum()

# %%
ms.lessons.check("02_curate/missed", share, of=(missed, fault != "none"))

# %%
ms.lessons.hint("02_curate/missed")

# %% [markdown]
# ## A filter can take sides
#
# One of the treatments, `micronucleus`, makes a small bright body beside the nucleus.
#
# ## Predict first

# %%
ms.lessons.predict("02_curate/bias")

# %% [markdown]
# First the flags with their usual thresholds. Then somebody is very careful and drops the tenth of the cells with the
# highest `debris` score.

# %%
print(ms.curate.filter_bias(flags, study))

# %%
careful = scores["debris"] > scores["debris"].quantile(0.9)
print(ms.curate.filter_bias(careful, study))

# %%
clean = careful & (fault == "none")
taken = clean & (study.labels == "micronucleus")
ms.views.gallery(study, taken, channels=["DNA"], rows=2)

# %% [markdown]
# Cells with this treatment that were thrown out as dirty, and are not: look for the small body beside the nucleus. They
# *are* the result: what was taken for dirt is what the treatment does.

# %%
ms.lessons.check("02_curate/bias")

# %% [markdown]
# A filter that takes more of one treatment changes your experiment, and nobody sees it in the picture of what is left.
# **So ask every filter whom it takes**, treatment by treatment and plate by plate. The interval counts wells, not
# cells.

# %% [markdown]
# ## Where the wells lie
#
# Before anybody compares treatments: which treatment lies on which plate? Count the wells.

# %%
balance = ms.curate.balance(study)
balance

# %% [markdown]
# Every treatment is on every plate, so a treatment can be compared with the controls *of its own plate*. Were one of
# them on a single plate only, nobody could say whether the treatment or the plate made the difference.
#
# The place on the plate matters too: wells at the rim dry out first. How far do cells stand out of the background,
# well by well?

# %%
placed = study.with_obs(scores[["signal_to_noise"]])
layout = ms.curate.layout(placed, "signal_to_noise")
ms.views.plate_map(layout)

# %%
print(layout)

# %% [markdown]
# Could you see it? The wells at the rim are brighter, all plates taken together. The computer compares wells of the
# same treatment and asks whether rim, rows and columns matter more than chance (and corrects for asking five times). A
# rim does no harm while every treatment lies there now and then; controls that *all* lie in the first column do.

# %% [markdown]
# ## Photographed twice
#
# Microscopes take overlapping pictures, files get copied, plates are read again. The same cell is then in the table
# twice: moved by a pixel, a little brighter, perhaps flipped. If one copy is used to train a model and the other one to
# test it, the model seems to know what it has only seen before.

# %%
pairs = ms.curate.find_duplicates(study)
shown = ["cell_a", "cell_b", "turn", "shift_y_px", "shift_x_px", "gain"]
pairs[shown].head().round(2)

# %%
first = pairs.loc[:5, ["cell_a", "cell_b"]].to_numpy().ravel()
ms.views.gallery(study, first, rows=2)

# %% [markdown]
# Each cell stands beside its copy. The noise differs, so no program that compares files would find them.
#
# A cell can have several [copies](glossary.md#duplicate), so we look at groups. In `groups`, `keep` is True for one
# cell of each group.

# %%
groups = ms.curate.group_duplicates(pairs)
groups.head(4)

# %% [markdown]
# ## Exercise 3: how many have to go?
#
# **How many cells have to be dropped, so that one of each group is left?** `~` turns True and False around.

# %% tags=["exercise"]
surplus = ...  # change me

# %% tags=["solution"]
surplus = (~groups["keep"]).sum()

# %%
ms.lessons.check("02_curate/surplus", surplus, of=groups)

# %%
ms.lessons.hint("02_curate/surplus")

# %% [markdown]
# And the answer key: how many of the planted copies were found?

# %%
planted = truth.obs["duplicate_of"].dropna()
found = planted.index.isin(groups.index)
print(f"{found.sum()} of {len(planted)} planted copies found")

# %% [markdown]
# ## Wells that were mixed up
#
# In our study every cell of a well carries the [label](glossary.md#label) of its well: what was pipetted into it. Two
# wells were exchanged. The computer measures the cells, learns from all *other* wells what each treatment looks like,
# and asks each well: do your cells look like what your label says?

# %%
study = study.with_features(ms.features.measure(study))
errors = ms.curate.find_label_errors(study)
wells = ms.curate.suspected_swaps(errors)
wells.head().round(2)

# %% [markdown]
# `score` is how likely the label is right. Read it as a **list to look at**, not as a verdict.
#
# ## Exercise 4: which wells?
#
# Two wells on one plate, and each looks like what is written on the other. **Write their names as a list**, for example
# `["P1 · A01", "P1 · A02"]` (the first column of the table).

# %% tags=["exercise"]
swapped = ...  # change me

# %% tags=["solution"]
swapped = list(wells.index[:2])

# %%
ms.lessons.check("02_curate/swapped", swapped, of=(study, truth))

# %%
ms.lessons.hint("02_curate/swapped")

# %% [markdown]
# What about the single cells of a well that look unlike their label? They are called **atypical** here, and not wrong.
# In a treated well some cells do not respond. That is biology, and we come back to it.

# %%
responds = truth.obs["responder"]
atypical = errors["atypical"]
treated = ~study.controls
all_treated = responds[treated].mean()
odd = responds[treated & atypical].mean()
print(f"respond: {all_treated:.2f} of the treated cells,")
print(f"         {odd:.2f} of the atypical ones among them")

# %% [markdown]
# ## Labels of single cells
#
# It is different when somebody labelled each cell by hand. Then a single label can be wrong. Here is a second study in
# which 8 of 100 labels are: `errors_2` holds the label that was given and the one that the cell looks like.

# %%
by_hand, key = ms.datasets.simulate(
    n_plates=3,
    cells_per_well=20,
    seed=1,
    mislabels=0.08,
    faults=0,
)

# %%
by_hand = by_hand.with_features(ms.features.measure(by_hand))
errors_2 = ms.curate.find_label_errors(by_hand)
ranked = errors_2.sort_values("score")
ranked[["given", "suggested", "score"]].head().round(3)

# %% [markdown]
# ## Exercise 5: is the list worth reading?
#
# You have time to look at 20 cells. `wrong` says for each cell whether its label is truly wrong. **How many of the
# first 20 names in `ranked` are?** (`ranked.index[:20]` are these names.)

# %%
wrong = key.obs["mislabelled"]
print(f"wrong labels among all cells: {100 * wrong.mean():.0f} %")

# %% tags=["exercise"]
hits = ...  # change me

# %% tags=["solution"]
hits = wrong[ranked.index[:20]].sum()

# %%
ms.lessons.check("02_curate/hits", hits, of=(ranked, wrong))

# %%
ms.lessons.hint("02_curate/hits")

# %% [markdown]
# ## Decisions are data
#
# Now we decide. Each decision is written down with its reason, who made it and when; one decision can be about many
# cells. The study itself is never touched.

# %%
decisions = ms.curate.Decisions(study)
decisions.drop(flags["flagged"], "spoilt: " + flags["main"])
decisions.drop(groups.index[~groups["keep"]], "copy of another cell")
decisions

# %% [markdown]
# You looked again, and one of the flagged cells is fine? Keep it. You regret that? Take it back.

# %%
first_flagged = flags.index[flags["flagged"]][0]
decisions.keep(first_flagged, "sharp enough for me")
print(len(decisions), "decisions")
decisions.undo()
print(len(decisions), "decisions")

# %% [markdown]
# `apply` makes the curated cells; whoever gets them can read in their history what was done. And every cell that is
# left out stays on a list:

# %%
curated = decisions.apply()
print(len(study), "cells before,", len(curated), "after")
decisions.dropped[["reason", "who", "time"]].head(3)

# %% [markdown]
# ## What the filters do to the result
#
# The result that we would publish: how well is the treatment of a cell recognised on a plate that was never seen?
# (1 is always, 0.14 is by chance.)
#
# ## Predict first

# %%
ms.lessons.predict("02_curate/effect")

# %%
reasons = decisions.table["reason"].str.split(":").str[0]
effect = ms.curate.filter_effect(study, reasons)
effect.drop(columns="n_units").round(2)

# %% [markdown]
# `change` is against leaving nothing out, and `low` to `high` is its interval over the four plates. Zero lies inside:
# with four plates we cannot say that cleaning made the result better, or worse. That is honest, and it is no argument
# against cleaning: what is out of focus should not be in the table, whatever it does to the result.

# %%
ms.lessons.check("02_curate/effect")

# %% [markdown]
# ## Real cells
#
# The fly cells of notebook 00 have no answer key. What is flagged there? (They have no controls either, so the usual
# scatter is that of all cells. Where cells lie in clumps their surroundings are bright, which is no fault: `None` turns
# these two scores off.)

# %%
fly = ms.datasets.load("fly")
fly_scores = ms.curate.score_quality(fly)
limits = {"background": None, "background_gradient": None}
fly_flags = ms.curate.flag_quality(fly_scores, fly, thresholds=limits)
fly_flags["main"].replace("", "not flagged").value_counts()

# %%
ms.views.gallery(fly, fly_flags["flagged"], rows=3)

# %% [markdown]
# Most of them are cut by the edge of the picture, as they were in notebook 01. Nobody can tell you how many of these
# flags are right. **Look at them**, and decide.

# %% [markdown]
# ## What goes wrong here
#
# Back in the study with an answer key, somebody says: "Let us leave out the cells that are hard to tell." It sounds
# like cleaning. Look what it does:

# %%
hard = atypical.map({True: "hard to tell", False: ""})
flattered = ms.curate.filter_effect(study, hard)
flattered.drop(columns="n_units").round(2)

# %% [markdown]
# A much better result, and the interval is far from zero! But we have dropped exactly those cells that the model gets
# wrong. How many of them were spoilt?

# %%
in_dropped = (fault[atypical] != "none").mean()
in_others = (fault[~atypical] != "none").mean()
print(f"spoilt: {in_dropped:.2f} of the dropped, {in_others:.2f} of the others")

# %% [markdown]
# Not more than among the others: we did not clean, we hid our mistakes. **A filter must never look at the answer**,
# neither at the label nor at what a model says about it. Decide from the picture, before you look at the result, and
# report what was left out.

# %% [markdown]
# ## What to take home
#
# 1. **Score, then look.** A threshold is chosen with the pictures beside it.
# 2. **Ask every filter whom it takes**, by treatment and by plate.
# 3. **Copies and mixed-up wells** are found by comparing, not by looking.
# 4. **Atypical is not wrong.** Cells that do not respond belong to the result.
# 5. **Write decisions down**, and never choose a filter by the result that it gives.

# %% [markdown]
# ## The same on your own data
#
# ```python
# flat = ms.curate.estimate_flatfield(fields)        # uneven light, from 24 fields or more
# fields = ms.curate.correct_flatfield(fields, flat)  # before the outlines are drawn
# cells = ms.io.crop(ms.io.segment(fields, "DNA"))
#
# print(ms.curate.balance(cells))                     # which treatment is on which plate
# scores = ms.curate.score_quality(cells)
# flags = ms.curate.flag_quality(scores, cells)
# print(ms.curate.filter_bias(flags, cells))
# pairs = ms.curate.find_duplicates(cells)
#
# decisions = ms.curate.Decisions(cells, "decisions.jsonl")   # kept on disk at once
# decisions.drop(flags["flagged"], flags["main"])
# curated = decisions.apply()
# curated.save("curated.mlscope")
# ```

# %% [markdown]
# ## Where to go next
#
# The table is clean, as far as you can know. Notebook `03_explore` asks what is in it. How far did you get today?

# %%
ms.lessons.progress("02_curate")

# %% [markdown]
# Finished? Shut this notebook down, so that the next one has its memory. Your labels and answers are kept.

# %%
ms.views.shut_down()
