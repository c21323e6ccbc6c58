# %% [markdown]
# # 05 · Predict images, and measure what is invented (optional)
#
# ## What you will be able to do
#
# - let a network predict a stain that was never put on, take noise out, and find nuclei;
# - say how many of the objects in a predicted picture are not there;
# - see why a picture that looks better is not one that is more true;
# - notice when a network leaves the ground that it knows;
# - decide what may be measured on a predicted picture, and what not.
#
# Run-all: 2 minutes · Learning: 75 minutes · Memory: 1.0 GB

# %%
import pandas as pd

import mlscope_nb as ms

images = ms.predict.images

# %% [markdown]
# How much memory is there? A notebook that you closed goes on running, and keeps its memory, until it is shut down.
# Others that are running are listed here, each with a button.

# %%
ms.views.running()

# %% [markdown]
# ## Fields with an answer key
#
# Two plates, six wells on each, one [field](glossary.md#field-of-view) of each well. Three stains: DNA (the nuclei),
# actin (the body of the cell) and puncta (small bright dots). Look at them first. (`**study` hands over the settings
# in `study`.)

# %%
study = {"n_plates": 2, "wells_per_plate": 6, "cells_per_well": 50}
look = {"seed": 7, "field_size": 320, "faults": 0}
fields, _ = ms.datasets.simulate_fields(**study, **look)
ms.views.fields(fields)

# %% [markdown]
# ## A stain that was never put on
#
# Suppose you had stained actin and puncta only. A network has learned from other fields, in which all three stains were
# there, to say what DNA would look like. (Training it takes a few minutes, so it comes with mlscope. An *epoch* is one
# round of training, a *unit* here is a well.)

# %%
network = images.shipped("stain")
print(network)

# %%
predicted = network.predict(fields)
seen = images.overlaid(predicted, fields)
ms.views.fields(seen, channels=["predicted DNA"])

# %% [markdown]
# [Nobody stained these nuclei](glossary.md#virtual-stain). A convincing picture. But is it true?
#
# ## Predict first

# %%
ms.lessons.predict("05_predict_images/look")

# %% [markdown]
# Now both pictures on top of each other. White: both agree. Green alone was **invented** (predicted, not there),
# magenta alone was **missed** (there, not predicted).

# %%
ms.views.fields(seen)

# %% [markdown]
# To count, nuclei are found in both pictures by the same recipe. Two are the same nucleus if they share more than half
# of their area. (PSNR and SSIM, at the end, come below.)

# %%
found = images.invented(predicted, fields)
found

# %%
ms.lessons.check("05_predict_images/look")

# %% [markdown]
# ## Exercise 1: how many are invented?
#
# `found.per_field` has a row for each field, with the columns `n_found` and `n_invented`. **What share of all nuclei
# that were found is invented?** (A number between 0 and 1.)

# %%
found.per_field[["n_true", "n_found", "n_invented", "n_missed"]]

# %% tags=["exercise"]
made_up = ...  # change me

# %% tags=["solution"]
made_up = found.per_field["n_invented"].sum() / found.per_field["n_found"].sum()

# %%
ms.lessons.check("05_predict_images/made_up", made_up, of=found)

# %%
ms.lessons.hint("05_predict_images/made_up")

# %% [markdown]
# ## Beside something simple
#
# Is a network needed at all? **Linear regression** guesses the brightness of each pixel of DNA from that of the same
# pixel in the other stains, and nothing else.

# %%
simple = images.plain(fields, "stain", target="DNA")["linear regression"]
both = {"network": predicted, "linear": simple.predict(fields)}
beside = images.compare(both, fields)
beside[["f1", "invented", "missed", "psnr", "ssim"]].round(2)

# %% [markdown]
# `f1` is 1 where all nuclei are found and none is invented. `psnr` (in decibels) and `ssim` say how alike pixels are:
# the more, the better. Look at `psnr`: the method that finds hardly any nucleus has the *better* one. It leaves
# everything grey, which is never far off. It was also allowed to learn from the very fields that it is tested on, which
# the network was not: hold both to the same rules before you choose.
#
# ## Away from home
#
# The network knows sharp fields. What does it say of the same wells when the microscope is a little out of focus?
# (The first plot of a notebook takes a few seconds.)
#
# ## Predict first

# %%
ms.lessons.predict("05_predict_images/focus")

# %%
blurred, _ = ms.datasets.simulate_fields(**study, **look, blur=2.2)
of_blurred = network.predict(blurred)
soft = images.invented(of_blurred, blurred)

# %%
shares = {"in focus": found.invented, "out of focus": soft.invented}
ms.views.estimates(shares, label="share of found nuclei that are invented")

# %%
ms.views.fields(images.overlaid(of_blurred, blurred))

# %% [markdown]
# The network gives no warning. It does not say "I do not know these pictures": it paints.

# %%
ms.lessons.check("05_predict_images/focus")

# %% [markdown]
# ## Exercise 2: how much more?
#
# **How many times as large is the share of invented nuclei out of focus?** `found.invented.estimate` is the share in
# focus, `soft.invented.estimate` the one out of focus.

# %% tags=["exercise"]
factor = ...  # change me

# %% tags=["solution"]
factor = soft.invented.estimate / found.invented.estimate

# %%
ms.lessons.check("05_predict_images/factor", factor, of=(soft, found))

# %%
ms.lessons.hint("05_predict_images/factor")

# %% [markdown]
# ## Which ones would you not believe?
#
# On real data there is no truth to lay on top. One thing can be done: train the network several times, each time with
# other random numbers, and see where the networks **disagree**. Where they only guess, their guesses should
# differ. Here are two networks.

# %%
names = ["stain", "stain 1"]
team = images.Ensemble(tuple(map(images.shipped, names)))
asked = {"ensemble": team, "inputs": fields, "downstream": True}
whole = images.invented(predicted, fields, **asked)

# %% [markdown]
# Every field is cut into squares of 64 pixels. Here are twelve squares with many nuclei, as the network painted them:
# the six that are most wrong, and the six that are least. **Click the ones that you do not believe** (shift and click
# adds one).

# %%
squares = whole.crops.nlargest(60, "brightness").sort_values("error")
squares = squares.reset_index(drop=True)
some = pd.concat([squares.head(6), squares.tail(6)])
some = some.sample(12, random_state=1)
painted = images.windows(predicted, some)
pick = ms.views.gallery(painted, size=172, title="Painted")
pick

# %% [markdown]
# (Without a mouse: the next cell takes the six in which the networks disagree most.)

# %%
clicked = list(pick.selected)
unsure = some["disagreement"].nlargest(6).index.astype(str)
name = "05_predict_images/doubted"
doubted = ms.lessons.checkpoint(name, clicked, otherwise=list(unsure))
wrong = some["error"].rank() > 6
hit = wrong[wrong.index.astype(str).isin(doubted)].sum()
chance = len(doubted) / 2
print(f"{hit} of the 6 worst found; by chance it would be {chance:g}")

# %% [markdown]
# And here is the truth of the same squares, in the same order:

# %%
truth = images.windows(fields, some)
ms.views.gallery(truth, channels=["DNA"], size=172, title="Truth")

# %% [markdown]
# How well does disagreement find the worst quarter of *all* squares? 1 is always, 0.5 is a coin; `low` and `high` are
# its 95 % interval over wells. In the last column: how well the mere brightness of a square finds them.

# %%
whole.warning[["disagreement", "low", "high", "brightness"]].round(2)

# %% [markdown]
# That is no warning: how bright a square is says more, and costs nothing to know. Networks that learned from the same
# fields make the same mistakes, and where they agree they may all be wrong. Measure what a warning is worth before you
# trust it.
#
# ## What may be measured?
#
# Nuclei at the right places are not yet nuclei with the right brightness or texture. Each true nucleus is measured in
# the true and in the predicted picture. `correlation` says whether the same nuclei come out high and low (1: exactly).
# Here are the lowest three and the highest three. (`Cells_…` are the nuclei here: nothing else was outlined.)

# %%
kept = whole.downstream["correlation"].dropna().sort_values()
kept.iloc[[0, 1, 2, -3, -2, -1]].round(3)

# %% [markdown]
# Hardly one keeps the order of the nuclei. What the other stains do not know, no network can say: it paints
# what nuclei *usually* look like. Only how much DNA there is in all goes along, because large cells have large nuclei.
#
# ## Exercise 3: allowed or not?
#
# Say you allow a feature if its correlation is above 0.7. **How many of the features in `kept` are allowed?**

# %% tags=["exercise"]
allowed = ...  # change me

# %% tags=["solution"]
allowed = (kept > 0.7).sum()

# %%
ms.lessons.check("05_predict_images/allowed", allowed, of=kept)

# %%
ms.lessons.hint("05_predict_images/allowed")

# %% [markdown]
# ## Taking noise out
#
# Less light spares the cells and makes noisy pictures. This network has learned from noisy pictures alone: it says each
# pixel from its neighbours, which works because noise does not know its neighbours. (Only then is the pixel itself
# mixed in, as far as its noise allows.) The simulator can render the same fields without noise, so here we know what
# is under it.

# %%
clean, _ = ms.datasets.simulate_fields(**study, **look, noise=0)
few = list(fields.ids[:4])
noisy, clean = fields.subset(few), clean.subset(few)
quiet = images.shipped("denoise").predict(noisy)
ms.views.fields(images.overlaid(quiet, clean, channel="actin"))

# %%
filters = images.plain(noisy, "denoise", clean=clean)
both = {"network": quiet, "gaussian": filters["gaussian"].predict(noisy)}
quieter = images.compare(both, clean, channel="DNA")
quieter[["f1", "invented", "missed", "psnr"]].round(2)

# %% [markdown]
# Grey and white above, without green or magenta: the network's actin agrees with the clean one. (To see the noise, tick
# only actin in the first picture of this notebook.) The table is about the nuclei. A Gaussian blur, the simple way,
# stands beside the network: it was allowed to choose its strength by looking at the clean pictures; the network has
# never seen one.
#
# ## Finding nuclei after six examples
#
# Where nuclei lie close, a threshold joins them. This network has learned from six fields in which somebody had drawn
# every nucleus.

# %%
many = {"n_plates": 1, "wells_per_plate": 4, "cells_per_well": 150}
crowd, _ = ms.datasets.simulate_fields(**many, **look)
crowd = crowd.with_masks(crowd.compartments["nucleus"])
cut = {"network": images.shipped("segment").predict(crowd)}
cut["threshold"] = ms.io.segment(crowd)
crowded = images.compare(cut, crowd, channel="DNA", masks="given")
crowded[["f1", "invented", "missed"]].round(2)

# %%
ms.views.fields(cut["network"], channels=["DNA"])

# %% [markdown]
# ## Real cells
#
# Three fields of fly cells come with mlscope. A network learned to predict DNA from the two other stains in two of
# them; here is the third. Nobody rendered it: the true stain is there only because somebody put it on.

# %%
fly = ms.datasets.load_fields("fly").subset(["POS218"])
of_fly = images.shipped("fly").predict(fly)
images.invented(of_fly, fly)

# %%
ms.views.fields(images.overlaid(of_fly, fly))

# %% [markdown]
# One field is one [unit](glossary.md#unit-of-independence), so there is no interval: nothing is known about the next
# field. For a claim, stain a few wells on *every* new plate, and count there what was invented.
#
# ## What goes wrong here
#
# 1. **Believing the eye.** A network is trained to paint what looks right. Hold it against a true stain.
# 2. **One number for all.** PSNR preferred a picture without nuclei. Count objects.
# 3. **Leaving home.** Focus, another cell line, a new drug: the network paints what it knows, without a warning.
# 4. **Testing on neighbours.** Patches of one field are not independent. Hold out whole wells or plates.
# 5. **Measuring a guess.** A predicted picture holds nothing that was not in its inputs.

# %% [markdown]
# ## What to take home
#
# 1. **Ask what was invented**, per field, with an interval.
# 2. **Something simple beside it**, always.
# 3. **A few true stains on every plate.**
# 4. **Say which measurements survive**, and do not use the others.

# %% [markdown]
# ## The same on your own data
#
# ```python
# look = ms.views.read_folder("my_folder", unit=["plate", "well"], batch="plate")    # pictures and a layout
# fields = look.read()
# last = fields.obs["plate"] == "P4"                            # change me: the plates to test on, whole
# train, test = fields.subset(~last), fields.subset(last)
#
# network = images.train(train, "stain", target="DNA")          # or "denoise", or "segment" with masks
# network.history[["loss", "held_out_loss"]]                    # what it learned, epoch by epoch
# network.save("my_network.pt")
#
# found = images.invented(network.predict(test), test)
# print(found)                                                  # invented, missed, with intervals
# team = images.train_ensemble(train, "stain", target="DNA")    # three networks
# images.invented(team.predict(test), test, ensemble=team, inputs=test).warning      # what their disagreement is worth
# ```

# %% [markdown]
# ## Where to go next
#
# A network that paints the right nuclei, or names the right treatment, may do so for the wrong reason. What a network
# looks at is what notebook `06_explain` is about. How far did you get today?

# %%
ms.lessons.progress("05_predict_images")

# %% [markdown]
# Finished? Shut this notebook down, so that the next one has its memory. Your labels and answers are kept.

# %%
ms.views.shut_down()
