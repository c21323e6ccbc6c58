# %% [markdown]
# # 07 · How good results come from bad studies
#
# ## What you will be able to do
#
# - name five mistakes that make results in microscopy look better than they are;
# - give a study a dose of each, see the damage, and take it back;
# - audit a study **before** anything is computed from it;
# - find three problems in a study that looks fine;
# - write down how you know what you claim.
#
# Run-all: 2 minutes · Learning: 90 minutes · Memory: 1.0 GB

# %%
import mlscope_nb as ms

# %% [markdown]
# How much memory is there? A notebook that you closed goes on running, and keeps its memory, until it is shut down.
# Others that are running are listed here, each with a button.

# %%
ms.views.running()

# %% [markdown]
# This notebook is a laboratory. A slider gives a study a [**dose**](glossary.md#dose) of something bad. A picture
# shows what it does. One number says how much: the **damage**. A button applies the **remedy**, and you see whether it
# helps.
#
# ## 1 · Counting cells as replicates
#
# A treatment **does nothing**. You put it into four wells, leave four other wells alone, measure the area of 100 cells
# in each well, and compare all treated cells with all untreated ones.
#
# ### Predict first

# %%
ms.lessons.predict("07_pitfalls/replicates")

# %%
ms.views.pitfall("pseudo_replication")

# %% [markdown]
# Move the slider, and watch the left picture: where nothing is different, [p-values](glossary.md#p-value) should fall
# anywhere, equally often (the dashed line). Then press **Apply the remedy**.

# %%
lesson = ms.risks.run("pseudo_replication")
print("a test of cells: ", lesson.damage)
print("a test of wells: ", lesson.mitigated)

# %% [markdown]
# These are shares of studies in which a treatment that does nothing "works" (0.05 is what everyone agreed on). Cells of
# one well share its temperature, its medium, its neighbours. More cells make the mean of **that well** more certain,
# not the treatment.

# %%
ms.lessons.check("07_pitfalls/replicates")

# %% [markdown]
# ## Exercise 1: how many replicates?
#
# **How many replicates has each group of this study?**

# %% tags=["exercise"]
replicates = ...  # change me

# %% tags=["solution"]
replicates = 4

# %%
ms.lessons.check("07_pitfalls/how_many", replicates)

# %%
ms.lessons.hint("07_pitfalls/how_many")

# %% [markdown]
# ## 2 · Cells of one well in training and test
#
# A model is trained on some cells and tested on others. Cells of one well stand on both sides.
#
# ### Predict first

# %%
ms.lessons.predict("07_pitfalls/wells")

# %%
ms.views.pitfall("leakage", seed=3)

# %%
leak = ms.risks.run("leakage", seed=3)
print(leak.sentence)
print("damage:         ", leak.damage)
print("with the remedy:", leak.mitigated)

# %% [markdown]
# The damage is what [cross-validation](glossary.md#cross-validation) says, minus what new wells say. (Below zero: too
# modest, which happens with few wells.) The model need not know the treatment: it is [enough to know the
# well](glossary.md#leakage). `ms.predict.cross_validate` keeps wells whole unless you ask it by name not to.

# %%
ms.lessons.check("07_pitfalls/wells")

# %% [markdown]
# ## 3 · Each treatment on its own plates
#
# Plates differ: another day, another bottle. What if each treatment has plates of its own?
#
# ### Predict first

# %%
ms.lessons.predict("07_pitfalls/plates")

# %%
ms.views.pitfall("batch_confounding")

# %%
mixed = ms.risks.run("batch_confounding")
print(mixed.sentence)
print("damage:         ", mixed.damage)
print("with the remedy:", mixed.mitigated)

# %% [markdown]
# The remedy works because [**every plate has control wells**](glossary.md#control): each treatment is compared with
# the controls beside it.

# %%
ms.lessons.check("07_pitfalls/plates")

# %% [markdown]
# ## Exercise 2: no controls
#
# A study has two treatments, each on three plates of its own, and no controls anywhere. **What can be done?**
# `"normalize"`: compare each cell with the mean of its plate. `"hold out"`: test on plates that were held out.
# `"repeat"`: nothing but a new experiment.

# %% tags=["exercise"]
rescue = ...  # change me: "normalize", "hold out" or "repeat"

# %% tags=["solution"]
rescue = "repeat"

# %%
ms.lessons.check("07_pitfalls/rescue", rescue)

# %%
ms.lessons.hint("07_pitfalls/rescue")

# %% [markdown]
# ## 4 · A mark tells the treatment
#
# Here a faint mark lies beside many cells of one treatment: a scratch, a date stamp, a bubble. The cell itself shows
# the treatment too, but less clearly.
#
# ### Predict first

# %%
ms.lessons.predict("07_pitfalls/mark")

# %%
ms.views.pitfall("shortcut")

# %%
mark = ms.risks.run("shortcut")
print(mark.sentence)
print("damage:         ", mark.damage)
print("with the remedy:", mark.mitigated)

# %% [markdown]
# Held-out wells do not help here: they have the mark as well. Notebook 06 shows how to catch [such a
# model](glossary.md#shortcut).

# %%
ms.lessons.check("07_pitfalls/mark")

# %% [markdown]
# ## 5 · Testing groups on the features that made them
#
# Take cells that are **all of one kind**. Let a computer sort them into two groups. Now test whether the groups differ.
#
# ### Predict first

# %%
ms.lessons.predict("07_pitfalls/groups")

# %%
ms.views.pitfall("double_dipping")

# %%
dipped = ms.risks.run("double_dipping")
print("tested as if the groups were given:", dipped.damage)
print("beside cells without groups:       ", dipped.mitigated)

# %% [markdown]
# Sorting puts large cells here and small ones there. Of course they differ in size afterwards. The fair test sorts
# cells that surely have no groups in the same way, and asks whether yours differ more.

# %%
ms.lessons.check("07_pitfalls/groups")

# %% [markdown]
# ## There are more
#
# The list has 22. Choose one that could happen to you.

# %%
ms.views.pitfall()

# %% [markdown]
# ## Exercise 3: 94 % right
#
# Choose **The wrong metric** from the list, and move the slider to 16. A model is right in more than nine of ten cells.
# Press *Apply the remedy*: now it weighs both classes alike. **What is its [balanced
# accuracy](glossary.md#balanced-accuracy) on cells of both classes in equal numbers?** Read it from the left picture
# ("and of equal numbers").

# %% tags=["exercise"]
honest = ...  # change me: a number

# %% tags=["solution"]
honest = 0.64

# %%
rare = ms.risks.run("imbalance")
ms.lessons.check("07_pitfalls/honest", honest, of=rare)

# %%
ms.lessons.hint("07_pitfalls/honest")

# %% [markdown]
# ## The case
#
# Here is a study. It has pictures, wells, plates, controls and treatments, and it looks fine. **Three things are wrong
# with it.**

# %%
case = ms.risks.case(seed=1)
cells = case.cells
ms.views.gallery(cells, channels=["DNA", "actin"], size=70, rows=2)

# %% [markdown]
# A model for all treatments, with wells kept whole, as it should be:

# %%
small = cells.with_features(ms.features.measure(cells))
score = ms.predict.cross_validate(small)
print(score)

# %% [markdown]
# Far better than guessing. But a score cannot say *why*. So **audit** the study: one call asks what else could give a
# treatment away, and whether the study can answer the question at all. Nothing is changed.

# %%
audit = ms.risks.audit(cells)
found = audit.findings
found[found["level"] == "red"][["check", "subject", "figure"]].round(2)

# %% [markdown]
# Red: a result would rest on it. (One thing can be red in two checks; each check has its own `figure`.) Each finding
# says why, and what to do next:

# %%
copied_cells = found[found["check"] == "duplicates"]
print(copied_cells["reason"].iloc[0])
print(copied_cells["next_step"].iloc[0])

# %% [markdown]
# Was it right? Look at them two by two: the first and the second are said to be the same cell, in different wells, then
# the third and the fourth, and so on.

# %%
pairs = audit.details["duplicates"].head(4)
both = pairs[["cell_a", "cell_b"]].to_numpy().ravel()
ms.views.gallery(cells, list(both), channels=["DNA", "actin"], size=100, rows=2)

# %% [markdown]
# ## Exercise 4: the mark
#
# **Which treatment carries a mark** in its background?

# %% tags=["exercise"]
marked = ...  # change me: the name of a treatment

# %% tags=["solution"]
marked = "elongated"

# %%
ms.lessons.check("07_pitfalls/marked", marked, truth=case.planted["marked"])

# %%
ms.lessons.hint("07_pitfalls/marked")

# %% [markdown]
# ## Exercise 5: alone, and twice
#
# **Which treatment stands on one plate alone**, so that [nothing can tell it from that
# plate](glossary.md#confounding)? And **are there cells that stand in two wells**?

# %% tags=["exercise"]
alone = ...  # change me: the name of a treatment
copied = ...  # change me: True or False

# %% tags=["solution"]
alone = "granular"
copied = True

# %%
ms.lessons.check("07_pitfalls/alone", alone, truth=case.planted["nested"])

# %%
ms.lessons.hint("07_pitfalls/alone")

# %% [markdown]
# How many of the three did you find?

# %%
print(case.score(marked, alone, copied))

# %% [markdown]
# ## Mend it
#
# What stands on one plate alone cannot be asked about: leave it out. Copies can be left out as well, one of each pair.
# Then audit again.

# %%
name, key = "07_pitfalls/stuck", case.planted["nested"]
told = ms.lessons.checkpoint(name, alone, otherwise=key)
copies = audit.details["duplicates"]["cell_b"]
kept = cells.where(f"label != {told!r}")
kept = kept.subset(kept.ids.difference(copies, sort=False))

# %%
again = ms.risks.audit(kept)
left = again.findings
left[left["level"] == "red"][["check", "subject", "figure"]].round(2)

# %% [markdown]
# The mark is left. (Is "class and batch" still there? Then another treatment was left out: see Exercise 5.) It lies
# outside of the cell, so measuring **inside of the cell** is one way out; taking the pictures
# again is the better one.
#
# ## How do you know?
#
# Somebody will ask you: *how do you know that this is not the plate?* The **evidence sheet** answers on one page, from
# what was done and what was not. Give it everything that you computed.

# %%
mine = ms.lessons.workplace()
sheet = ms.risks.report(cells, [audit, score], mine / "evidence.html")
text = sheet.with_suffix(".md").read_text(encoding="utf-8")
print(text.splitlines()[4].strip("*"))

# %% [markdown]
# That is how it begins. The file `evidence.html` (the line above says where it is) holds all of it, with each
# number and where it comes from.
#
# ## What goes wrong here
#
# 1. **Auditing at the end.** What is nested in a plate has to be known before the experiment, not after the model.
# 2. **Trusting a green audit.** It says what was looked for. "Untestable" means that no data of this design could show
#    it.
# 3. **A remedy for another illness.** Held-out wells do not help against marks; controls do not help where there are
#    none.
# 4. **A single dose.** With six studies the interval is wide. `ms.risks.curve` repeats it.

# %% [markdown]
# ## What to take home
#
# 1. **Count what was treated**, not what was measured.
# 2. **Keep together what belongs together**: wells, plates, days, donors.
# 3. **Ask what else could give the answer away**, before you ask for the answer.
# 4. **Groups that a computer made are not a discovery** until they are there in cells that it has not seen.

# %% [markdown]
# ## The same on your own data
#
# ```python
# cells = ms.load("curated.mlscope")           # with wells, plates, labels and controls, as saved in notebook 02
# audit = ms.risks.audit(cells)
# print(audit)                                 # in words, the worst first
# audit.findings                               # as a table: check, subject, level, figure, reason, next step
#
# score = ms.predict.cross_validate(cells, by="plate")
# ms.risks.report(cells, [audit, score], "evidence.html")
# ```

# %% [markdown]
# ## Where to go next
#
# Your own data. How far did you get today?

# %%
ms.lessons.progress("07_pitfalls")

# %% [markdown]
# Finished? Shut this notebook down, so that the next one has its memory. Your labels and answers are kept.

# %%
ms.views.shut_down()
