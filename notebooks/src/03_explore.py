# %% [markdown]
# # 03 · Explore: what is in the data, and how far to trust the map that shows it
#
# ## What you will be able to do
#
# - draw a map of cells, and see whether it shows biology or plates;
# - say how far to trust a map: which neighbours it keeps, and what another seed or setting makes of it;
# - compare it with a map of nothing;
# - ask whether there are groups at all, without looking at the map;
# - find rare cells with the lasso, and score yourself against the truth;
# - test what a treatment changes, and say which treatments do anything.
#
# Run-all: 1 minute · Learning: 60 minutes · Memory: 800 MB

# %%
import pandas as pd

import mlscope_nb as ms

# %% [markdown]
# ## A study with an answer key
#
# The computer draws a study, as in notebook 02: 4 plates, 16 wells on each, 15 cells in each well, and nothing spoilt.
# A quarter of the wells are controls ("DMSO"). The others got one of six treatments. We measure each cell, and leave
# out features that say the same as another one.

# %%
small = {"n_plates": 4, "cells_per_well": 15}
study, truth = ms.datasets.simulate(**small, rare=0.06, faults=0)
study = study.with_features(ms.features.measure(study))
study = ms.features.select(study)
study

# %% [markdown]
# ## Predict first

# %%
ms.lessons.predict("03_explore/raw")

# %% [markdown]
# A **map** puts cells with similar numbers next to each other. The most used one is called UMAP. Here it is twice, from
# the features as they were measured: on the left coloured by plate, on the right by treatment.

# %%
raw = study.with_embedding("umap", ms.explore.umap(study))
by_plate = ms.views.scatter(raw, "umap", "plate", width=430, height=340)
by_label = ms.views.scatter(raw, "umap", "label", width=460, height=340)
by_plate + by_label

# %% [markdown]
# ## Normalised
#
# So we take the plates out, more thoroughly than in notebook 01: TVN also makes features that usually go together count
# once, and gives each plate the same spread. Here all wells of a plate set its scale (`control="all"`), which is fair
# because every plate got the same treatments. Left before, right after. Draw around points on one side: the same cells
# light up on the other.

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
# together as they do in our cells, but there is one single group, without any phenotype.
#
# ## Predict first

# %%
ms.lessons.predict("03_explore/noise")

# %% [markdown]
# Left our cells, right the cells that do not exist.

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
# Now there are strings and islands, and every one of them is made up: there is one group. What a map of nothing shows
# too, made with the same settings, is no evidence of anything.
#
# ## How far to trust the map
#
# A map has two directions, the features many more, so something must get lost. How much? Take a cell and its 15 nearest
# cells in the features. How many of them are among its 15 nearest on the map?

# %%
trust = ms.explore.trust(normal, "umap")
print(trust)

# %% [markdown]
# `knn_recall` is the share of neighbours that the map keeps. **Trustworthiness** and **continuity** ask the same, and
# forgive a neighbour that is only a little too far away. 1 would be a perfect map.
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
# UMAP starts with a number, the **seed**, and has that setting, how many **neighbours** a cell is joined to. Nobody can
# tell you the right ones. Four maps of the same cells: few and many neighbours from left to right, two seeds from top
# to bottom. One treatment is coloured in all of them; it is the same cells each time.

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
# only does not. `ms.explore.stability` gives this a number, over seeds and over wells, and `ms.explore.verdict` puts
# all of it into one paragraph.

# %% [markdown]
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
# `ms.explore.cluster` would find them, and say how each splits over the plates; it takes longer, so it is for your own
# data, below.

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
# ## What tells a group from others
#
# Two kinds of groups, and they must not be mixed up. Groups that were **given**, such as treatments, can be tested: the
# treatment was not chosen by looking at the cells. Wells are compared, within plates. Here the treatment `lobed`.

# %%
given = ms.explore.markers(normal, "label")
lobed = given[given["group"] == "lobed"].head(5)
lobed[["feature", "effect", "low", "high", "q_value"]].round(3)

# %% [markdown]
# `effect` counts in standard deviations of cells, `low` to `high` is its interval over wells, `q_value` is the p-value
# after correcting for having asked so many questions.
#
# Groups that were **found** in the same features (a lasso, a cluster) are different *because they were made to be*. A
# test between them says nothing, and mlscope gives no p-values for them, only effects:

# %%
drawn_group = ms.explore.markers(normal, chosen)
print(drawn_group.attrs["reason"])

# %% [markdown]
# ## Which treatments do anything?
#
# Each well becomes one profile. Does it find the other wells of its treatment before it finds controls? 1 is always;
# `null` is what chance would give.

# %%
profiles = ms.explore.map_precision(normal)
active = profiles[profiles["question"] == "activity"].set_index("group")
shown = ["n_units", "mean_average_precision", "null", "q_value", "verdict"]
active[shown].round(3)

# %% [markdown]
# ## Exercise 3: the hardest
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
# ## What goes wrong here
#
# 1. **Seeing groups on a map of nothing.** Draw the map of nothing beside yours.
# 2. **Seeing plates and calling them biology.** Colour by plate first.
# 3. **Testing groups that were found in the same data.** They always differ.
# 4. **Counting cells as repeats.** Wells are.
# 5. **"One group explains it" is not "there is one group".** A rare kind of cell can be too few for such a test.
#
# What to take home:
#
# 1. **Colour by plate first.**
# 2. **A map is for finding and looking.** Put a number on it, and a map of nothing beside it.
# 3. **Count groups in the features**, over wells.
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
# it will do on a plate that it has never seen, is what notebook `04_predict` is about; it is coming. How far did you
# get today?

# %%
ms.lessons.progress("03_explore")
