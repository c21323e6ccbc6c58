# %% [markdown]
# # 06 · What does the network look at?
#
# ## What you will be able to do
#
# - draw maps of what a network looks at, and find out whether they are right;
# - see a convincing map fail;
# - find out what a network really uses: change the picture, and ask again;
# - catch a network that has learned a [shortcut](glossary.md#shortcut), which its score does not show;
# - say in words what a model, or a group of cells, is about.
#
# Run-all: 3 minutes · Learning: 90 minutes · Memory: 1.1 GB

# %%
import mlscope_nb as ms

explain = ms.explain

# %% [markdown]
# How much memory is there? A notebook that you closed goes on running, and keeps its memory, until it is shut down.
# Others that are running are listed here, each with a button.

# %%
ms.views.running()

# %% [markdown]
# ## A network, and plates that it has never seen
#
# This network tells six treatments and the control from each other. It learned from five plates (that takes two
# minutes, so it comes with mlscope). Here are two plates more.

# %%
network = ms.predict.shipped("phenotypes")
study = {"n_plates": 2, "wells_per_plate": 16, "cells_per_well": 20}
cells, truth = ms.datasets.simulate(**study, seed=11)

# %%
score = ms.predict.evaluate(network, cells)
print(score)
score.per_class[["recall", "n_groups"]].round(2)

# %% [markdown]
# `recall` is the share of each treatment's cells that it names right, `n_groups` how many wells there are. Balanced
# accuracy is the mean recall, and comes with its interval over wells; guessing would be 0.14. One treatment gives cells
# a **micronucleus**: a small second nucleus beside the large one. Here are cells of that treatment that it got right.

# %%
mine = score.cells_of("micronucleus", "micronucleus")[::2]
look = {"channels": ["DNA"], "size": 100, "rows": 3}
look["contrast"] = {"DNA": (200, 8000)}
ms.views.gallery(cells, mine, **look)

# %% [markdown]
# It names them right. But *because of* the micronucleus?
#
# ## A map of what it looks at
#
# A [map](glossary.md#attribution) gives every pixel a number: does it speak for "micronucleus" (orange) or against it
# (blue)? There are many ways to draw one. This one is popular. It asks how the score answers to a little more light in
# each pixel, many times over with noise added, and takes the mean (`noise=0.1` is what is usual for photographs). The
# network reads the middle of each picture; around that the map is empty.

# %%
few = cells.subset(mine)
asked = {"ids": mine, "target": "micronucleus"}
usual = {"method": "smoothgrad", "noise": 0.1}
smooth = explain.attribute(network, cells, **usual, **asked)
dna = {"channels": ["DNA"]}
ms.views.maps(few, {"smoothgrad": smooth}, **dna)

# %% [markdown]
# ## Predict first

# %%
ms.lessons.predict("06_explain/smooth")

# %% [markdown]
# These cells were drawn by a simulator, so there is an [**answer key**](glossary.md#answer-key): it knows which pixels
# are the micronucleus, the **cue** of this treatment. They are outlined now.

# %%
key = truth.subset(mine).cues
ms.views.maps(few, {"smoothgrad": smooth}, evidence=key, **dna)

# %%
ms.lessons.check("06_explain/smooth")

# %% [markdown]
# ## What does the network really use?
#
# A map that misses the micronucleus may still be right: perhaps the network uses something else. There is one sure way
# to know. The simulator draws **the same cell once more without its micronucleus**, same noise, same everything, and
# the network is asked again. Here are the cells from above, without it:

# %%
effect = explain.causal_effect(network, cells, truth, ids=mine)
bare = few.with_images(truth.render(mine, without="cue"))
ms.views.gallery(bare, **look)

# %%
effect[["probability", "probability_without", "effect"]].head().round(2)

# %% [markdown]
# `effect` is how far the network's score for "micronucleus" falls. The score is counted in **logits**: a fall of 1
# makes the odds about 2.7 times smaller.
#
# ## Exercise 1: does it use the micronucleus?
#
# **In what share of these cells does the score fall by at least 1?** (A number between 0 and 1.)

# %% tags=["exercise"]
used = ...  # change me

# %% tags=["solution"]
used = (effect["effect"] >= 1).mean()

# %%
ms.lessons.check("06_explain/used", used, of=effect)

# %%
ms.lessons.hint("06_explain/used")

# %% [markdown]
# So the network does use it, and that map was wrong about it. Now other ways to draw a map. They differ in what they
# ask:
#
# - **Grad-CAM**: inside the network there are many small pictures of the cell, one for each thing that it looks for.
#   Which of them count for the class? Each picture gets one weight.
# - **HiResCAM**: the same, with a weight for each place of each picture.
# - **integrated gradients**: what does each pixel add on the way from a blurred cell to the real one?
# - **occlusion**: how far does the score fall if a small patch is covered?

# %%
cam = explain.attribute(network, cells, method="gradcam", **asked)
sharp = explain.attribute(network, cells, method="hirescam", **asked)
patch = explain.attribute(network, cells, method="occlusion", **asked)
way = {"method": "integrated_gradients"}
grad = explain.attribute(network, cells, **way, **asked)

# %% [markdown]
# ## Exercise 2: which map is honest?
#
# Three of the maps, without their names (one is the first). **Which one would you believe: "A", "B" or "C"?** Look for
# small things beside the nucleus.

# %%
three = {"A": cam, "B": smooth, "C": sharp}
ms.views.maps(few, three, **dna)

# %% tags=["exercise"]
honest = ...  # change me: "A", "B" or "C"

# %% tags=["solution"]
honest = "C"

# %%
ms.lessons.check("06_explain/honest", honest)

# %%
ms.lessons.hint("06_explain/honest")

# %% [markdown]
# Looking is not enough. So let us count: in how many cells is the strongest place of the map **inside** the
# micronucleus? Three **trivial** maps, which know no network, stand beside them: brightness (`intensity`), `edges`, and
# the middle of the crop (`centre`).

# %%
maps = {"smoothgrad": smooth, "Grad-CAM": cam, "HiResCAM": sharp}
maps = maps | {"integrated gradients": grad, "occlusion": patch}
grades = explain.grade(maps, key, few, effect=effect)
ms.views.grades(grades)

# %%
print(grades.attrs["note"])
grades[["pointing", "above_trivial", "above_trivial_low"]].round(2)

# %% [markdown]
# In the plot, the dot is the share of cells (`pointing`), the bar its 95 % interval over wells. `above_trivial` is how
# far it lies above the best trivial map, `above_trivial_low` the lower end of the interval of that.
# (A map that is always right, or never, has a bar as well: so few wells cannot prove more.)
#
# The first map points no better than a map of edges that has never heard of the network: a cue of a few pixels drowned
# in the noise that was added. A map is a **claim**, and it can be wrong. Which method is right depends on the network
# and on the cue, so grade the one that you use.
#
# ## Does a map need the network at all?
#
# On real cells there is no answer key. One check is always possible (Adebayo and others, 2018): mix up all that the
# network has learned. A map that **stays the same** was never about what it had learned.

# %%
noisy = {"ids": mine, "target": "micronucleus", "noise": 0.1}
sane = explain.sanity_check(network, cells, "smoothgrad", stages=2, **noisy)
sane.query("check == 'weights'")[["what", "kept", "verdict"]].round(2)

# %% [markdown]
# `what` says how deep it was mixed up, from the last layer of the network down. `kept` is the share of what is special
# to a cell's map that is still there afterwards (0 and below: nothing). Our first map passes this check, **and is wrong
# nevertheless**. That is what the critics of the check say (Yona and Greenfeld, 2021, and
# others): it can convict a map, it cannot acquit one.
#
# The other way round, a network that has **forgotten everything** can still point right: where the cue is the brightest
# thing in the cell, a map that multiplies with the picture finds it. `explain.mix_weights` makes such a network, and
# `explain.grade(…, forgotten=…)` counts how often it is right: that much is no merit of learning.
#
# ## A colleague's better network
#
# A colleague trained two networks to tell the treatment "clustered" from the control. One of them is better than the
# other, on plates that neither has seen.

# %%
plates = {"n_plates": 4, "wells_per_plate": 16, "cells_per_well": 10}
marks = {"shortcut": 0.9, "tied_to": "clustered"}
hers, _ = ms.datasets.simulate(**plates, **marks, seed=12)
hers = hers.subset(hers.labels.isin(["DMSO", "clustered"]).to_numpy())

# %%
first = ms.predict.shipped("untrapped")
second = ms.predict.shipped("trapped")
scores = {"first network": ms.predict.evaluate(first, hers)}
scores["second network"] = ms.predict.evaluate(second, hers)
ms.views.estimates(scores)

# %%
print(scores["second network"].against(scores["first network"]))

# %% [markdown]
# That is how much better the second one is on the same wells, with its interval.
#
# ## Predict first

# %%
ms.lessons.predict("06_explain/better")

# %% [markdown]
# Do not draw a map: [**change the picture**](glossary.md#counterfactual). Each cell of the control gets one region of
# a "clustered" cell, pasted in at the same place: a corner, the nucleus, what lies outside the cell, one whole stain.
# How often does the answer turn to "clustered"? (Regions overlap: the border, for one, holds all four corners.)

# %%
paste = {"target": "clustered", "n_cells": 100}
pasted = explain.counterfactual(second, hers, **paste)
turned = pasted.table.set_index("region")
turned = turned.rename(columns={"flip_low": "low", "flip_high": "high"})
ms.views.estimates(turned, value="flip_rate", label="share of cells that turn")

# %% [markdown]
# ## Exercise 3: what does the second network use?
#
# **Which is the smallest region that turns many answers?** Write its name, as it stands in the plot.

# %% tags=["exercise"]
region = ...  # change me: "the name of a region"

# %% tags=["solution"]
region = pasted.deciding.loc["clustered", "region"]

# %%
ms.lessons.check("06_explain/region", region, of=pasted)

# %%
ms.lessons.hint("06_explain/region")

# %%
print(pasted)

# %% [markdown]
# Somebody had marked the wells of that treatment, and the mark is in the picture: a faint ring. Five "clustered" cells,
# then five of the control:

# %%
seen = scores["second network"]
both = [*seen.cells_of("clustered", "clustered")[:5]]
both += [*seen.cells_of("DMSO", "DMSO")[:5]]
ring = {"channels": ["actin"], "contrast": {"actin": (250, 1500)}}
ms.views.gallery(hers, both, **ring, size=110, rows=1)

# %% [markdown]
# The same plates without the mark:

# %%
clean, _ = ms.datasets.simulate(**plates, seed=12)
clean = clean.subset(hers.ids)
scores["second, no marks"] = ms.predict.evaluate(second, clean)
ms.views.estimates(scores)

# %% [markdown]
# The score could not show it, because the marks were on the test plates too. Pasting showed it at once.

# %%
ms.lessons.check("06_explain/better")

# %% [markdown]
# ## Models of measured features
#
# A model of measured features can be asked in words. "Lobed" nuclei against the control, on four plates:
#
# ## Predict first

# %%
ms.lessons.predict("06_explain/lobed")

# %%
pair, _ = ms.datasets.simulate(4, 16, 20, seed=21)
pair = pair.subset(pair.labels.isin(["DMSO", "lobed"]).to_numpy())
pair = pair.with_features(ms.features.measure(pair))
needs = explain.importance(pair)

# %% [markdown]
# Features that say the same (ten ways to measure a size) are put into one **block**, named after one of them. A block
# is mixed up between cells that the model has not seen. How much less sure is the model of the right class then?

# %%
top = needs.blocks.head(5)
lost = {"value": "importance", "width": 760}
lost["label"] = "probability of the right class that is lost"
ms.views.estimates(top, **lost)

# %%
told = top["feature"].iloc[0]
print(told, "·", ms.features.describe(told))

# %%
ms.lessons.check("06_explain/lobed")

# %% [markdown]
# And cells at both ends of this feature: first the lowest, then the highest.

# %%
ends = [*top["low_cells"].iloc[0], *top["high_cells"].iloc[0]]
ms.views.gallery(pair, ends, channels=["DNA"], size=110, rows=1)

# %% [markdown]
# ## Exercise 4: how many ways to say the same?
#
# `top["features"].iloc[0]` holds the names of all features of the first block. **How many are there?**

# %% tags=["exercise"]
in_block = ...  # change me

# %% tags=["solution"]
in_block = len(top["features"].iloc[0])

# %%
ms.lessons.check("06_explain/in_block", in_block, of=top)

# %%
ms.lessons.hint("06_explain/in_block")

# %% [markdown]
# ## A walk along the decision
#
# A second, small network learns to **draw** cells. Then it draws each of six cells again, a little more "lobed" to the
# model with each step. Move the slider: below each cell is what is drawn, and below that the real cell that is nearest
# to the drawing.

# %%
model = ms.predict.train_model(pair)
steps = explain.traverse(model, pair, target="lobed")
ms.views.walk(steps, pair, channels=["DNA"])

# %%
steps.features[["change", "low", "high", "real"]].head().round(2)

# %% [markdown]
# `change` is how far each feature of the drawn cells moves on the way, in deviations; `real` says how it goes with the
# model's answer in real cells. Believe what has the same sign in both: a drawn cell is a drawing.

# %% [markdown]
# ## Real cells
#
# The fly cells have no answer key and no treatment. Draw around a group of points on the map, and ask what it is about.

# %%
fly = ms.datasets.load("fly")
fly = fly.with_features(ms.features.measure(fly))
fly = fly.with_embedding("pca", ms.explore.pca(fly))
bench = ms.views.explore(fly, "pca", autosave=False)
bench

# %% [markdown]
# (Without a mouse: the next cell takes the cells on the far right.)

# %%
chosen = list(bench.selected)
right = fly.embeddings["pca"].sort_values("x").index[-100:]
name = "06_explain/chosen"
chosen = ms.lessons.checkpoint(name, chosen, otherwise=list(right))

# %%
is_about = explain.about(fly, chosen)
print(is_about["says"].iloc[0])
is_about[["effect", "low", "high", "n_features"]].head().round(2)

# %% [markdown]
# `effect` is how far they lie from the others, in deviations of single cells, `low` and `high` its 95 % interval over
# fields; `n_features` features say the same. [No p-values](glossary.md#double-dipping): you chose these cells *because*
# they differ. And five cells that stand for the group, then five that these do not stand for (these are bright cells:
# all grey values are shown):

# %%
typical = explain.prototypes(fly, {"chosen": chosen}, n=5)
all_grey = dict.fromkeys(fly.channels, (0, 255))
look = {"contrast": all_grey, "size": 90, "rows": 1}
ms.views.gallery(fly, list(typical.index), **look)

# %% [markdown]
# What may be said: "these cells differ from the others by this". What may not be said: why. Three fields are three
# units, and nothing here was done to the cells.
#
# ## What goes wrong here
#
# 1. **Believing a map because it is popular.** The first one was wrong.
# 2. **Asking where, when the question is why.** Change the picture, and see whether the answer changes.
# 3. **A score on plates with the same flaw.** Marks, plate edges, dates: they are on the test plates too.
# 4. **One feature at a time.** Of ten that say the same, a model can do without any one.
# 5. **A p-value for a group that was chosen by looking.**

# %% [markdown]
# ## What to take home
#
# 1. **A map is a claim. Grade it**, where there is an answer key, with the method that you use on real cells.
# 2. **Paste and remove** before you believe a network.
# 3. **Something trivial beside it**, always.
# 4. **Say what was tested and what was not.**

# %% [markdown]
# ## The same on your own data
#
# ```python
# cells = ms.load("curated.mlscope")                    # with images, masks, labels and units, as saved in notebook 02
# last = cells.obs["plate"] == "P4"                     # change me: the plates to test on, whole
# train, test = cells.subset(~last), cells.subset(last)
# network = ms.predict.train_network(train)             # two minutes on two cores
# print(ms.predict.evaluate(network, test))
#
# print(ms.explain.counterfactual(network, test))       # corners, border, outside, each channel
# asked = {"ids": test.ids[:12], "target": "lobed"}     # change me: which cells, and which class
# maps = ms.explain.attribute(network, test, method="integrated_gradients", **asked)
# ms.views.maps(test.subset(test.ids[:12]), {"integrated gradients": maps})
# ms.explain.sanity_check(network, test, "integrated_gradients", **asked)
#
# bench = ms.views.explore(test, autosave=False)        # draw around some cells ...
# ms.explain.concepts(network, test, bench.selected, target="lobed")   # ... does what they share count?
# ```

# %% [markdown]
# ## Where to go next
#
# Marks in a corner are one trap of many. Notebook `07_pitfalls` has a laboratory of them. How far did you get today?

# %%
ms.lessons.progress("06_explain")

# %% [markdown]
# Finished? Shut this notebook down, so that the next one has its memory. Your labels and answers are kept.

# %%
ms.views.shut_down()
