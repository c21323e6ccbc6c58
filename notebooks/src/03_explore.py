# %% [markdown]
# # 03 · Explore: what is in the data, and how far to trust the map that shows it
#
# ## What you will be able to do
#
# - draw a map of cells, and see whether it shows biology or plates;
# - say how far to trust a map: which neighbours it keeps, and whether it would come out alike again;
# - compare it with a map of nothing;
# - ask whether there are groups at all, and count them without looking at the map;
# - find rare cells with the lasso, and score yourself against the truth;
# - test what tells a group from others, without fooling yourself;
# - say which treatments do anything, to how many of their cells, and how strongly.
#
# Run-all: 2 minutes · Learning: 90 minutes · Memory: 1.0 GB

# %%
import textwrap

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
# The computer draws a study, as in notebook 02: 4 plates, 16 wells on each, 15 cells in each well, and nothing spoilt.
# A quarter of the wells are controls ("DMSO"). The others got one of six treatments. We measure each cell, and leave
# out features that say the same as another one.

# %%
study, truth = ms.datasets.simulate(
    n_plates=4,
    cells_per_well=15,
    rare=0.06,
    faults=0,
)

# %%
study = study.with_features(ms.features.measure(study))
study = ms.features.select(study)
study

# %% [markdown]
# ## Predict first

# %%
ms.lessons.predict("03_explore/raw")

# %% [markdown]
# A [**map**](glossary.md#map) puts cells with similar numbers next to each other. The most used one is called UMAP.
# Here it is twice, from the features as they were measured: on the left coloured by plate, on the right by treatment.

# %%
raw = study.with_embedding("umap", ms.explore.umap(study))
by_plate = ms.views.scatter(raw, "umap", "plate", width=430, height=340)
by_label = ms.views.scatter(raw, "umap", "label", width=460, height=340)
by_plate + by_label

# %%
ms.lessons.check("03_explore/raw")

# %% [markdown]
# ## Normalised
#
# So we take the plates out, more thoroughly than in notebook 01. **TVN** (typical variation normalisation) also makes
# features that usually go together count once, and gives each plate the same spread. Here all wells of a plate set its
# scale (`control="all"`), which is fair because every plate got the same treatments. Left before, right after. Draw
# around points on one side: the same cells light up on the other.

# %%
normal = ms.features.normalize(study, "tvn", control="all")
normal = normal.with_embedding("umap", ms.explore.umap(normal))
both = ms.views.compare(raw, normal, names=("before", "after"), colour="plate")
both

# %% [markdown]
# The plates overlap now. Looking mixed is not being mixed: how to ask whether a computer can still guess the plate is
# in notebook 01 (`ms.features.batch_report`).
#
# ## How many groups are there in nothing?
#
# Now a computer draws cells that do **not exist**. Each feature varies as much as in our cells, and features go
# together as they do in our cells, but there is one single group, without any [phenotype](glossary.md#phenotype).
#
# ## Predict first

# %%
ms.lessons.predict("03_explore/noise")

# %% [markdown]
# Left our cells, right the cells that do not exist. (`**look` hands over the settings in `look`, here the size.)

# %%
null = ms.explore.null_map(normal)
look = {"width": 400, "height": 340}
ours = ms.views.scatter(normal, "umap", title="our cells", **look)
nothing = ms.views.scatter(null, ("x", "y"), title="nothing", **look)
(ours + nothing).opts(shared_axes=False)

# %% [markdown]
# The cells that do not exist make one cloud with a ragged rim. Ours have arms, and a small island at the side: a shape
# that nothing does not have is worth a second look. But the picture is a choice. The same cells that do not exist, with
# the usual 15 **neighbours** to each cell, and with 3:

# %%
torn = ms.explore.null_map(normal, n_neighbors=3)
torn = ms.views.scatter(torn, ("x", "y"), title="nothing, 3 neighbours", **look)
(nothing + torn).opts(shared_axes=False)

# %% [markdown]
# Now there are strings and islands, and every one of them is made up: there is one group. What a [map of
# nothing](glossary.md#null) shows too, made with the same settings, is no evidence of anything.

# %%
ms.lessons.check("03_explore/noise")

# %% [markdown]
# ## How far to trust the map
#
# A map has two directions, the features many more, so something must get lost. How much? Take a cell and its 15 nearest
# cells in the features. How many of them are among its 15 nearest on the map?

# %%
trust = ms.explore.trust(normal, "umap")
trust

# %% [markdown]
# `knn_recall` is the share of neighbours that the map keeps. [**Trustworthiness**](glossary.md#trustworthiness) and
# **continuity** ask the same, and forgive a neighbour that is only a little too far away. 1 would be a perfect map.
#
# ## Exercise 1: neighbours
#
# `trust.knn_recall` is the share, and `trust.k` is 15. **How many of its 15 neighbours does a cell keep on
# the map, on average?**

# %% tags=["exercise"]
kept = ...  # change me

# %% tags=["solution"]
kept = trust.knn_recall * trust.k

# %%
ms.lessons.check("03_explore/kept", kept, of=trust)

# %%
ms.lessons.hint("03_explore/kept")

# %% [markdown]
# ## Would it come out alike again?
#
# UMAP starts with a number, the [**seed**](glossary.md#seed), and has that setting, how many **neighbours** a cell is
# joined to. Nobody can tell you the right ones. Four maps of the same cells: few and many neighbours from left to
# right, two seeds from top to bottom. One treatment is coloured in all of them; it is the same cells each time.

# %%
shown = (study.labels == "lobed").map({True: "lobed", False: "other"})
colours = {"lobed": "#d55e00", "other": "#bbbbbb"}
look = {"colour": shown.rename("cells"), "colours": colours, "height": 260}

# %%
few = ms.explore.umap(normal, 0, n_neighbors=5)
many = ms.explore.umap(normal, 0, n_neighbors=60)
a = ms.views.scatter(normal, few, title="5, seed 0", width=330, **look)
b = ms.views.scatter(normal, many, title="60, seed 0", width=420, **look)
(a + b).opts(shared_axes=False)

# %%
few = ms.explore.umap(normal, 1, n_neighbors=5)
many = ms.explore.umap(normal, 1, n_neighbors=60)
a = ms.views.scatter(normal, few, title="5, seed 1", width=330, **look)
b = ms.views.scatter(normal, many, title="60, seed 1", width=420, **look)
(a + b).opts(shared_axes=False)

# %% [markdown]
# Follow the coloured cells. What stays together in all four maps deserves a second look; what is there in one of them
# only does not.
#
# And as a number? `verdict` draws the map again with other seeds, and again from other wells (drawn anew, as if the
# experiment had been done with other ones), and draws maps of nothing. It puts all of it into one paragraph.

# %%
said = ms.explore.verdict(normal, "umap", n_seeds=2, n_draws=2)
said

# %% [markdown]
# Another seed keeps more of a cell's neighbours than other wells do, and neither keeps most of them. That is the answer
# to "would it come out alike again?": large shapes nearly, who lies beside whom hardly.
#
# ## A real disagreement
#
# Experts do not agree on such maps. **Chari and Pachter** (2023, PLoS Computational Biology 19:e1011288) show that
# forcing hundreds of dimensions into two must distort the data much, and hold that such maps do more harm than good
# when one explores data. **Lause, Berens and Kobak** (2024, PLoS Computational Biology 20:e1012403; PMC10996625) answer
# that the wrong things were measured: distances are kept poorly, but neighbours and classes well enough to make the
# maps useful.
#
# You have measured both on your own cells: distances (the rank correlation) and neighbours. mlscope's advice: use a map
# to **find and look at** cells. Never measure on it, never count on it, and never publish it as the evidence.

# %% [markdown]
# ## Are there groups?
#
# Then count where nothing is lost: in the features. `structure` asks whether the **wells** fall into more than one
# group, and compares with many studies of nothing. (The well is the repeat: cells of one well are not independent.)

# %%
groups = ms.explore.structure(normal)
print(groups)

# %% [markdown]
# More than one group, as it should be: six treatments were planted. The number of groups is only an estimate.
#
# `cluster` gives each cell to a group, and looks neither at the map nor at the treatments. `stability` says how well a
# group is found again when the wells are drawn anew (1 is the same), `n_units` in how many wells it lies. `batch` is
# the plate that has most of its cells, `batch_share` which part of them.

# %%
found = ms.explore.cluster(normal, n_bootstrap=10)
shown = ["n", "stability", "n_units", "batch", "batch_share"]
found.clusters[shown].round(2)

# %% [markdown]
# A group that lives on one plate is no phenotype. How does each plate split over the groups? Every row should look
# alike.

# %%
found.over(normal).round(2)

# %% [markdown]
# In this study we also know what was done to each cell:

# %%
pd.crosstab(study.labels, found.labels)

# %% [markdown]
# Four groups are treatments, found without being told. The others cut the controls into pieces, together with the
# treatments that change little and the cells that did not respond. Look at their `stability`: some of these pieces
# would not come back with other wells. **Not found is not the same as not there, and found is not the same as there.**

# %% [markdown]
# ## The rare cells
#
# Hidden in this study are a few cells with **two nuclei**. No label says so: you have to find
# them. A hint is the colour: `solidity` is 1 for a nucleus without dents, and two nuclei side by side have a deep one.
# **Draw around a dark place on the map**, look at the pictures, and draw again until you like what you see.

# %%
columns = {
    "Nuclei_AreaShape_Solidity": "solidity",
    "Nuclei_AreaShape_Eccentricity": "eccentricity",
}
shapes = study.features[list(columns)].rename(columns=columns)
judged = normal.with_obs(shapes)
view = ms.views.explore(judged, "umap", colour="solidity", autosave=False)
view

# %% [markdown]
# (Without a mouse: change the question in the next cell. It is used where nothing was drawn around. `eccentricity` is 0
# for a circle and near 1 for a long nucleus.)

# %%
asked = list(judged.where("solidity < 0.9 and eccentricity > 0.8").ids)
drawn = list(view.selected)
name = "03_explore/my_rare"
mine = ms.lessons.checkpoint(name, drawn, otherwise=asked)
chosen = pd.Series(study.ids.isin(mine), index=study.ids)
print(chosen.sum(), "cells chosen")

# %%
ms.views.gallery(study, chosen, channels=["DNA"], rows=3)

# %% [markdown]
# Now open the answer key.

# %%
rare = truth.obs["phenotype"] == "binucleate"
print("two nuclei:", rare.sum(), "of", len(rare), "cells")
print("chosen:", chosen.sum(), " chosen and two nuclei:", (chosen & rare).sum())

# %% [markdown]
# ## Exercise 2: your score
#
# **Which part of all cells with two nuclei did you choose?** (0.5 would be one half.)

# %% tags=["exercise"]
recall = ...  # change me

# %% tags=["solution"]
recall = (chosen & rare).sum() / rare.sum()

# %%
ms.lessons.check("03_explore/recall", recall, of=(chosen, rare))

# %%
ms.lessons.hint("03_explore/recall")

# %% [markdown]
# And those that you missed:

# %%
ms.views.gallery(study, rare & ~chosen, channels=["DNA"], rows=2)

# %% [markdown]
# Would the computer have found them? Which of its groups do they lie in?

# %%
found.labels[rare].value_counts()

# %% [markdown]
# In groups with many others: they are too few to make one of their own. You found them by looking.
#
# ## What tells a group from others
#
# Two kinds of groups, and they must not be mixed up. Groups that were **given**, such as treatments, can be tested: the
# treatment was not chosen by looking at the cells. Wells are compared, within plates. Here the treatment `lobed`.

# %%
given = ms.explore.markers(normal, "label")
lobed = given[given["group"] == "lobed"].head(5)
lobed = lobed.set_index("feature")
lobed[["effect", "low", "high", "q_value"]].round(3)

# %% [markdown]
# `effect` counts in standard deviations of cells, `low` to `high` is its interval over wells, `q_value` is the
# [p-value](glossary.md#p-value) after correcting for having asked so many questions (0.000 is below 0.0005).
#
# Groups that were **found** in the same features (a lasso, a cluster) are different *because they were made to be*. How
# badly can that fool us? We take untreated cells only, and tell the computer to cut them in two groups.
#
# ## Predict first

# %%
ms.lessons.predict("03_explore/double")

# %% [markdown]
# The **naive** test compares the two groups as if somebody else had made them, and counts every cell as a repeat.

# %%
controls = normal.subset(normal.controls)
halves = ms.explore.cluster(controls, n_clusters=2)
half = halves.labels == 0  # one of the two groups
naive = ms.explore.markers(controls, half, method="naive")
naive = naive[naive["group"] == "chosen"]
small_p = naive["p_value"] < 0.05
print(small_p.sum(), "of", len(naive), "features with p < 0.05")

# %% [markdown]
# ## Exercise 3: how often does it fool you?
#
# Nothing was done to these cells. **Which part of all features has a p-value below 0.05?** If nothing differed, it
# should be about 0.05.

# %% tags=["exercise"]
fooled = ...  # change me

# %% tags=["solution"]
fooled = small_p.mean()

# %%
tested = naive["p_value"].notna()
ms.lessons.check("03_explore/fooled", fooled, of=(small_p, tested))

# %%
ms.lessons.hint("03_explore/fooled")

# %%
ms.lessons.check("03_explore/double")

# %% [markdown]
# So mlscope gives no p-values for [groups that were found](glossary.md#double-dipping), only effects, and says why:

# %%
honest = ms.explore.markers(controls, half)
print(textwrap.fill(honest.attrs["reason"], 90))

# %% [markdown]
# ## Which treatments do anything?
#
# Each well becomes one [profile](glossary.md#profile). Does it [find the other wells of its
# treatment](glossary.md#mean-average-precision) before it finds controls? 1 is always; `null` is what chance would
# give.

# %%
profiles = ms.explore.map_precision(normal)
active = profiles[profiles["question"] == "activity"].set_index("group")
shown = ["n_units", "mean_average_precision", "null", "q_value", "verdict"]
active[shown].round(3)

# %% [markdown]
# ## Exercise 4: the hardest
#
# **Which treatment is hardest to tell from the controls?** Write its name, in quotation marks.

# %% tags=["exercise"]
hardest = ...  # change me

# %% tags=["solution"]
hardest = active["mean_average_precision"].idxmin()

# %%
precision = active["mean_average_precision"]
ms.lessons.check("03_explore/hardest", hardest, of=-precision)

# %%
ms.lessons.hint("03_explore/hardest")

# %% [markdown]
# ## How many cells respond?
#
# In a treated well not every cell responds. The [**penetrance**](glossary.md#penetrance) is the share that does, well
# by well, with its interval.

# %%
wells = ms.explore.penetrance(normal, groups=["lobed"])
wells[["fraction", "low", "high"]].head(4).round(2)

# %% [markdown]
# The answer key knows which cells truly respond. In how many wells does the interval hold the true share?

# %%
responds = truth.obs["responder"].groupby(study.units.to_numpy()).mean()
inside = responds[wells.index].between(wells["low"], wells["high"])
print(inside.sum(), "of", len(inside), "wells")

# %% [markdown]
# ## How strongly?
#
# A **phenotype axis** leads from the untreated cells to the treated ones: 0 is the middle of the controls, 1 that of
# the treated. Every cell is placed by a model that did not see its plate. Below, cells at even steps along it.

# %%
axis = ms.explore.phenotype_axis(normal, "DMSO", "lobed")
ids = study.ids[study.labels.isin(["DMSO", "lobed"])]
ordered = ms.explore.along(axis, 18, ids=ids)
ms.views.gallery(study, ordered, channels=["DNA"], rows=2)

# %% [markdown]
# ## Real cells
#
# The fly cells of notebook 00 have no treatments and no controls. How far can their map be trusted?

# %%
fly = ms.datasets.load("fly")
fly = ms.features.select(fly.with_features(ms.features.measure(fly)))
fly = fly.with_embedding("umap", ms.explore.umap(fly))
ms.explore.trust(fly, "umap")

# %%
ms.views.explore(fly, "umap", colour="position", autosave=False)

# %% [markdown]
# Neighbours, to a degree. But some things *cannot* be said here: whether a difference would come back in another
# experiment, because there is only one; and what is unusual, because there are no controls. Explore, and then plan
# plates.

# %% [markdown]
# ## What goes wrong here
#
# 1. **Seeing groups on a map of nothing.** Draw the map of nothing beside yours.
# 2. **Seeing plates and calling them biology.** Colour by plate first.
# 3. **Testing groups that were found in the same data.** They always differ.
# 4. **Counting cells as repeats.** Wells are.
# 5. **"One group explains it" is not "there is one group".** A rare kind of cell can be too few for such a test.

# %% [markdown]
# ## What to take home
#
# 1. **Colour by plate first.**
# 2. **A map is for finding and looking.** Put a number on it, and a map of nothing beside it.
# 3. **Count groups in the features**, over wells, and see how they split over plates.
# 4. **Given groups can be tested, found ones cannot.**
# 5. **Look for what is rare yourself.**

# %% [markdown]
# ## The same on your own data
#
# ```python
# cells = ms.features.select(cells.with_features(ms.features.measure(cells)))
# normal = ms.features.normalize(cells, "tvn", control="all")
# print(ms.features.batch_report(cells, normal))      # is the plate gone, and is the treatment still there?
#
# normal = normal.with_embedding("umap", ms.explore.umap(normal))
# print(ms.explore.verdict(normal, "umap"))           # how far to trust the map
# view = ms.views.explore(normal, "umap")             # draw, look, name
#
# print(ms.explore.structure(normal))                 # more than one group?
# found = ms.explore.cluster(normal)
# ms.explore.markers(normal, "treatment")             # what a treatment changes, over wells
# ms.explore.map_precision(normal)                    # which treatments do anything
# ms.explore.penetrance(normal)                       # to how many of their cells
# ```
#
# `control="all"` is right where every plate holds the same mix of treatments. Otherwise leave it out: then the controls
# of each plate set its scale.

# %% [markdown]
# ## Where to go next
#
# You have looked without being told what to look for. To teach a computer to tell cells apart, and to find out how well
# it will do on a plate that it has never seen, is what notebook `04_predict` is about. How far did you
# get today?

# %%
ms.lessons.progress("03_explore")

# %% [markdown]
# Finished? Shut this notebook down, so that the next one has its memory. Your labels and answers are kept.

# %%
ms.views.shut_down()
