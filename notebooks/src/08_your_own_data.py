# %% [markdown]
# # 08 · Your own data: from a folder to an evidence sheet
#
# ## What you will be able to do
#
# - point at a folder and see what is in it, what is missing, and what does not fit;
# - declare what was treated, what was handled together and what you want to tell apart, **before** you compute
#   anything;
# - go the whole way from pictures to a sheet that a reviewer can judge, with every decision written down;
# - say what a study cannot answer, however good its pictures are;
# - do the same next week with one line.
#
# Run-all: 2 minutes · Learning: 60 minutes · Memory: 1.1 GB

# %%
import mlscope_nb as ms

# %% [markdown]
# How much memory is there? A notebook that you closed goes on running, and keeps its memory, until it is shut down.
# Others that are running are listed here, each with a button.

# %%
ms.views.running()

# %% [markdown]
# ## A folder
#
# You need a folder with pictures, and a **layout**: a table (CSV) that says for each picture or well what it is. So
# that there is one to practise with, the next cell writes the fly cells of notebook 00 as a microscope would have left
# them: one file for each channel, and a layout. (`mine` is the folder for what you make, beside this notebook.)

# %%
mine = ms.lessons.workplace()
fly = ms.datasets.load_fields("fly")
written = ms.io.write_fields(fly, mine / "my_folder", overwrite=True)
print("written:", written)

# %% [markdown]
# ## Your decisions
#
# Four things no computer can know, and everything after them depends on them. `None` means "I do not know", or "there
# is none". That is an honest answer, and the sheet at the end will say it.
#
# To use **your own data**, change this cell, and run everything below it.

# %% id="decisions"
folder = mine / "my_folder"  # change me: where your pictures are
label = "position"  # change me: what you want to tell apart
unit = "position"  # change me: what was treated by itself, such as a well
batch = "position"  # change me: what was handled together, such as a plate
control = None  # change me: the untreated, such as {"drug": "DMSO"}

# %% [markdown]
# ## 1 · Read
#
# What lies in the folder? On the left is what was recognised. On the right is how it will be read: correct it where it
# is wrong. Then press **Read**, or run the next cell.

# %%
look = ms.views.read_folder(folder, label=label, unit=unit, batch=batch)
look.change(control=control)

# %%
fields = look.read()
fields

# %% [markdown]
# Files that could not be read, or are unlike the others, are left out and named; nothing is left out in silence. The
# line below does the same without the form. Keep it: it is the first line of your methods section.

# %%
print(look.code)

# %% [markdown]
# ## Exercise 1: how many replicates?
#
# Think of each class (each value of your label). **How many [independent units](glossary.md#unit-of-independence) has
# the class with the fewest?**

# %% tags=["exercise"]
replicates = ...  # change me: a number

# %% tags=["solution"]
replicates = 1

# %%
ms.lessons.check("08_your_own_data/replicates", replicates, of=fields)

# %%
ms.lessons.hint("08_your_own_data/replicates")

# %% [markdown]
# ### Predict first
#
# Suppose that each of the three positions got a treatment of its own.

# %%
ms.lessons.predict("08_your_own_data/conditions")

# %% [markdown]
# ## 2 · Find the cells
#
# Everything that is measured is measured **inside of outlines**. Look at several fields before you go on: the sliders
# are for those where the outlines are wrong. (Where the folder has masks, these are used, and the sliders only show
# what else could be done.)
#
# Does your folder hold cells already, as CellProfiler leaves them? Then write `cells = fields` in place of the next two
# cells. Where there are tables only, without pictures, go to "The same in one line" at the end.

# %%
tuner = ms.views.tune_segmentation(fields)
tuner

# %%
outlined = fields
if fields.masks is None:
    outlined = ms.io.segment_cells(tuner.apply())
cells = ms.io.crop(outlined, size=64)
cells

# %% [markdown]
# ## 3 · Look, decide, and write down why
#
# Which cells are unusual, and what is the main reason? (Notebook 02 has the reasons one by one.) Nothing is removed:
# you look, and decide.

# %%
flags = ms.curate.flag_quality(cells)
flags["main"].replace("", "not flagged").value_counts().to_frame("cells")

# %%
ms.views.gallery(cells, flags["flagged"], rows=2)

# %% [markdown]
# One decision is easy to defend: a cell that is **cut** by the edge of its picture has no size and no shape. It was not
# left out because of its label, nor because of what a model said about it. (There may be a few more than above: those
# with another main reason.) The decision goes into a log, with its reason.

# %%
cut = cells.ids[flags["cut"]]  # change me: what you leave out
decisions = ms.curate.Decisions(cells).drop(cut, "cut by the edge")
whole = decisions.apply()
decisions

# %% [markdown]
# ## 4 · Measure, and audit before anything else
#
# The audit asks what else could give the label away, and whether the study can answer the question at all.

# %%
measured = whole.with_features(ms.features.measure(whole))
audit = ms.risks.audit(measured)
audit.findings["level"].value_counts().to_frame("findings")

# %%
found = audit.findings
print(found["reason"].iloc[0])
print(found["next_step"].iloc[0])

# %% [markdown]
# That is the worst of them. `print(audit)` has them all. **Untestable** is not "fine": no data of this design could
# show it.

# %%
ms.lessons.check("08_your_own_data/conditions")

# %% [markdown]
# ## Exercise 2: what would repair it?
#
# Each treatment has one position, and each position has one treatment. **What repairs that?** `"cells"`: photograph
# more cells of each position. `"network"`: a better model. `"normalise"`: bring the positions to one scale.
# `"positions"`: several positions for each treatment, side by side on each slide.

# %% tags=["exercise"]
repair = ...  # change me: "cells", "network", "normalise" or "positions"

# %% tags=["solution"]
repair = "positions"

# %%
ms.lessons.check("08_your_own_data/repair", repair)

# %%
ms.lessons.hint("08_your_own_data/repair")

# %% [markdown]
# ## 5 · A map, to look at
#
# Where each [batch](glossary.md#batch) has controls, features are first compared with these (where the controls are one
# of the classes: with the whole batch, so that this does not give them away). Without controls nothing is changed.

# %%
scale = "standardize" if batch and control else None
scaled = ms.risks.attempt(ms.features.normalize, measured) if scale else None
if scale and not scaled:
    scaled = ms.features.normalize(measured, control="all")
shown = ms.features.select(scaled or measured)
points = ms.explore.umap(shown)
mapped = measured.with_embedding("umap", points)

# %%
ms.views.explore(mapped, "umap", colour=label, autosave=False)

# %%
how_far = ms.explore.trust(shown, points)
print(how_far)

# %% [markdown]
# Do cells of one position lie together? If they do: is that the treatment, or the lamp, or how many cells grew there?
# **The map cannot know.** It only shows that something differs.
#
# ## 6 · Predict what the design can carry
#
# The strictest question comes first: does it work on a batch that the model has never seen? `attempt` asks, and where
# the design does not allow the question it keeps the reason instead of stopping.

# %%
held_out = batch or unit or "field_id"
options = {"by": held_out, "normalize": scale}
score = ms.risks.attempt(ms.predict.cross_validate, mapped, **options)
print(score)

# %% [markdown]
# Nothing stops you from testing on other cells of the **same** pictures. You have to ask for it by name:

# %%
flatters = ms.risks.attempt(ms.predict.cross_validate, mapped, by="cell")
print(flatters)

# %% [markdown]
# It looks good, and it is a number about three pictures. Exchange their labels (`permuted labels`), and it is as good:
# who knows the lamp of a picture knows its label. It goes into the sheet all the same. Every evaluation that was made
# belongs there, not only the best one.
#
# ## 7 · Explain a little
#
# Where there is a score: what does the model go by? And without any model: in what do the cells of the first class (or
# of the first field, where there is no label) differ from the others?

# %%
matters = ms.risks.attempt(ms.explain.importance, mapped, **options)
print(matters)

# %%
classes = mapped.obs[label or "field_id"]
first = classes.iloc[0]
differs = ms.explain.about(mapped, mapped.ids[classes == first])
print(first, "differs most in:", differs["says"].iloc[0])
differs[["effect", "low", "high"]].head(3).round(2)

# %% [markdown]
# `effect` counts in standard deviations of single cells. An interval (`low`, `high`) is over units. `NaN`: there are
# too few of them to say how sure this is.
#
# ## Exercise 3: what may be written?
#
# Which sentence may stand in a paper? `"a"`: the treatment of position 002 makes nuclei darker at their edge. `"b"`: in
# the picture of position 002 nuclei are darker at their edge. `"c"`: nuclei of position 002 are darker at their edge (n
# = 1,684 cells).

# %% tags=["exercise"]
sentence = ...  # change me: "a", "b" or "c"

# %% tags=["solution"]
sentence = "b"

# %%
ms.lessons.check("08_your_own_data/sentence", sentence)

# %%
ms.lessons.hint("08_your_own_data/sentence")

# %% [markdown]
# ## 8 · The evidence sheet, and your cells for other programs
#
# Give the sheet everything, also what could not be done. It answers one question: **how do you know?**

# %%
results = [flags, decisions, audit, how_far, score, flatters, matters]
sheet = ms.risks.report(mapped, results, mine / "evidence.html")
text = sheet.with_suffix(".md").read_text(encoding="utf-8")
print(text.splitlines()[4].strip("*"))

# %% [markdown]
# `evidence.html` lies where your files are: open it. "You do not" is a good result. You know it now, and not after two
# years of work. The cells go to scanpy and squidpy as `.h5ad`, to pycytominer as Parquet. (Some cells lack a value:
# without a cytoplasm there is no size of it. scanpy refuses gaps, so in its file the median fills them.)

# %%
h5ad, parquet = mine / "cells.h5ad", mine / "profiles.parquet"
ms.io.write_h5ad(mapped, h5ad, missing="median", overwrite=True)
ms.io.write_profiles(mapped, parquet, overwrite=True)
print("written:", h5ad, parquet)

# %% [markdown]
# ## A study that can carry an answer
#
# Here is another folder: four plates, eight wells on each. Every well got a treatment **by itself**, both treatments
# are on **every plate**, and each plate has untreated wells (DMSO). (It is simulated: somebody knows the truth.)

# %%
study = ms.datasets.simulate_fields(4, 16, 30, seed=5)[0]
three = study.obs["treatment"].isin(["DMSO", "elongated", "granular"])
study = study.subset(three)
ms.io.write_fields(study, mine / "my_plates", masks=False, overwrite=True)
del study  # from here on it is a folder

# %%
plates = ms.views.read_folder(mine / "my_plates", label="treatment")
plates

# %% [markdown]
# Press **Read**: the wells get the colours of their treatments. Plate and well were read from the names of the files.
#
# ## Exercise 4: declare the unit
#
# The form has guessed a unit. Is it right? **Which columns together name what was treated by itself?**

# %% tags=["exercise"]
treated = ...  # change me: a list of columns, such as ["treatment", "site"]

# %% tags=["solution"]
treated = ["plate", "well"]

# %%
ms.lessons.check("08_your_own_data/unit", treated)

# %%
ms.lessons.hint("08_your_own_data/unit")

# %% [markdown]
# ## The same in one line
#
# Everything above, in the same order, for the next folder, and the one after it. What cannot be done is left out, and
# the reason stands in the sheet.

# %%
name, known = "08_your_own_data/stuck", ["plate", "well"]
own = ms.lessons.checkpoint(name, treated, otherwise=known)
untreated = {"treatment": "DMSO"}
choices = {"label": "treatment", "unit": own, "control": untreated}
there, out = mine / "my_plates", mine / "report"
next_week = ms.risks.report_folder(there, out, **choices)
next_week

# %%
text = (next_week.out / "evidence.md").read_text(encoding="utf-8")
print(text.splitlines()[4].strip("*"))

# %%
carried = next_week.results["predict, plate held out"]
print(carried)

# %% [markdown]
# Plates that the model had never seen, an interval over plates, models that know less beside it. **Amber** is not red:
# the design can carry an answer, and what is still open stands in the sheet, with the line that closes it.
#
# Without a notebook, in a terminal:
#
# ```
# make report DATA=my_plates OUT=report LABEL=treatment UNIT=plate,well CONTROL=treatment=DMSO
# ```
#
# ## What goes wrong here
#
# 1. **Declaring the cell as the unit** because there are so many of them.
# 2. **Choosing what to leave out after seeing the score.** Decide before, write it down, keep the log.
# 3. **A layout that is made up afterwards.** It belongs into the folder on the day of the experiment.
# 4. **Trying until it works.** Every evaluation that you made belongs into the sheet, not only the best one.
# 5. **A score for a question that the design cannot carry.** Ask the audit first.

# %% [markdown]
# ## What to take home
#
# 1. **Four decisions come before the first picture**: label, unit, batch, control.
# 2. **"Cannot be told" is a result.** It says what the next experiment has to look like.
# 3. **Hand in what was not done**, beside what was.

# %% [markdown]
# ## The same on your own data
#
# ```python
# look = ms.views.read_folder("D:/plates/week_12")     # with / also on Windows: see, correct ...
# look                                                 # (the last line of a cell, so that it shows)
# fields = look.read()                                 # ... and read, in the next cell
#
# declared = {"label": "drug", "unit": ["plate", "well"], "control": {"drug": "DMSO"}}      # change me
# made = ms.risks.report_folder("D:/plates/week_12", "report_12", **declared)
# print(made)                                          # files, and what could not be done
# print(made.steps.code)                               # the same, line by line
# ```

# %% [markdown]
# ## Where to go next
#
# You have gone the whole way. Which cells of yours would you look at first? How far did you get today?

# %%
ms.lessons.progress("08_your_own_data")

# %% [markdown]
# Finished? Shut this notebook down. Your files, labels and answers are kept.

# %%
ms.views.shut_down()
