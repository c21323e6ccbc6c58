# %% [markdown]
# # 01 · From pixels to numbers: what happens before any result
#
# ## What you will be able to do
#
# - read an image as what it is, a table of numbers, and see where those numbers end;
# - tell a change of the *display* from a change of the *data*;
# - measure how much a result depends on where the outlines were drawn;
# - follow one number back to the cells that made it;
# - find out whether a number knows more about the plate than about the cell;
# - say what counts as a repeat of your experiment, and what happens if you get it wrong.
#
# Run-all: 2 minutes · Learning: 60 minutes · Memory: 800 MB

# %%
import pandas as pd

import mlscope_nb as ms

# %% [markdown]
# How much memory is there? A notebook that you closed goes on running, and keeps its memory, until it is shut down.
# Others that are running are listed here, each with a button.

# %%
ms.views.running()

# %% [markdown]
# ## A pixel is a number
#
# Here are the fly cells of notebook 00 again. This time we take one channel of one position, the nuclei. (Computers
# count from 0: the first position has number 0, the first channel too.)

# %%
fields = ms.datasets.load_fields("fly")
dna = fields.images[0][0]  # position 0, channel 0: DNA
dna.shape

# %% [markdown]
# 1006 rows of 1000 pixels. Now a small window of it, at the edge of a nucleus: 6 rows, 10 columns. Read it from left to
# right. Where does the nucleus begin?

# %%
dna[319:325, 48:58]

# %% [markdown]
# That is all there is. No cell, no edge, no colour: brightness, pixel by pixel. Everything else is a decision that
# somebody made later. In this notebook you watch those decisions being made.
#
# How large can such a number get? That depends on how it was stored, its [**bit depth**](glossary.md#bit-depth). **8
# bit** means 256 steps, from
# 0 to 255. **16 bit** means 65,536 steps, from 0 to 65,535. What is it here?

# %%
print("type:", dna.dtype, " darkest:", dna.min(), " brightest:", dna.max())

# %% [markdown]
# `uint8`: 8 bit. What is brighter than 255 is written down as 255. Such a pixel is
# [**saturated**](glossary.md#saturation): it says "255 or more", and nobody can find out how much more.
#
# ## Exercise 1: count what was lost
#
# Below is another channel, `R`, at the last position. `red == 255` asks each pixel "are you 255?", and the answer is
# `True` or `False`. **How many pixels are saturated?**

# %%
red = fields.images[2][2]  # position 2, channel 2: R
red == 255

# %% tags=["exercise"]
saturated = ...  # change me

# %% tags=["solution"]
saturated = (red == 255).sum()

# %%
ms.lessons.check("01_from_pixels_to_numbers/saturated", saturated, of=red)

# %%
ms.lessons.hint("01_from_pixels_to_numbers/saturated")

# %% [markdown]
# ## Images with 16 bit
#
# For the second half of this notebook we need a larger study: four plates, with treatments and with untreated
# [**controls**](glossary.md#control). We let the computer draw one, a **simulated** study. The advantage: `truth`
# knows what was really done to each cell. It is the [answer key](glossary.md#answer-key); we leave it alone until the
# end.

# %%
study, truth = ms.datasets.simulate(
    n_plates=4,
    cells_per_well=12,
    faults=0,
    batch=2,
    well=1,
)
study

# %% [markdown]
# (`faults=0`: no spoilt cells. `batch=2, well=1`: plates and wells differ more than they usually do here, so that you
# can see it well.) The brightest pixel, and a corner of the first picture, where there is no cell:

# %%
print("type:", study.images.dtype, " brightest:", study.images.max())
study.images[0, 0, :3, :6]

# %% [markdown]
# The brightest is far below 65,535: nothing is saturated. But where there is no cell, the numbers are not 0. A camera
# adds a fixed amount to each pixel, and some stray light is always there. So **600 is not twice as much light as 300**.
# Subtract the background before you say "twice as bright".

# %% [markdown]
# ## What you see is not what is measured
#
# The view below has contrast sliders. Make the nuclei so bright that they become flat blobs. Then make them nearly
# disappear.

# %%
view = ms.views.fields(fields, channels=["DNA"])
view

# %% [markdown]
# Now the same in code. The mean brightness of the picture, before and after a very hard contrast. (Look up: the picture
# above has changed.)

# %%
before = dna.mean()
view.show(contrast={"DNA": (0, 25)})
after = fields.images[0][0].mean()
print(f"mean before: {before:.3f}   mean after: {after:.3f}")

# %% [markdown]
# Equal to the last digit. The slider tells the *screen* how to paint a number; the number stays.
#
# It is another matter when a program **saves** the picture as you see it ("apply", "auto contrast", a screenshot). Then
# new numbers are written. This is what three times the brightness, stored as 8 bit, does to them:

# %%
exported = (dna * 3.0).clip(0, 255).astype("uint8")
print(f"mean: {dna.mean():.2f} before, {exported.mean():.2f} after")
lost = (exported == 255).sum()
print("saturated:", (dna == 255).sum(), "before,", lost, "after")

# %% [markdown]
# The mean did not become three times as large, and thousands of pixels now say "255 or more". That cannot be undone.
# **Measure the files that the microscope wrote, never an exported picture.**

# %% [markdown]
# ## Outlines decide every later number
#
# To measure a nucleus, somebody has to say where it ends. Look at the window of numbers once more: brightness rises
# over many pixels. There is no line in it. A **threshold** draws one.
#
# ## Predict first

# %%
ms.lessons.predict("01_from_pixels_to_numbers/threshold")

# %% [markdown]
# Now try it. Enlarge the picture with the mouse wheel, move the **threshold** and watch the outlines. Lower takes in
# more of the faint rim, higher less. Then **split**: how readily are touching nuclei cut apart? Below the picture your
# sliders are written as a line of code, so that others can do exactly the same.

# %%
tuner = ms.views.tune_segmentation(fields, "DNA")
tuner

# %% [markdown]
# How much does it matter? First all three positions with the automatic threshold, which is 1. Each nucleus is cut out
# and its area measured, in pixels. The table shows how many there are and their mean area.

# %%
outlined = ms.io.segment(fields, "DNA")
nuclei = ms.io.crop(outlined)
nuclei = nuclei.with_features(ms.features.measure(nuclei, objects="Nuclei"))
area = nuclei.features["Nuclei_AreaShape_Area"]
usual = area.groupby(nuclei.obs["position"]).agg(["count", "mean"])
usual.round(1)

# %% [markdown]
# Now with *your* threshold. (If you did not move it, 0.8 is taken.)

# %%
mine = tuner.settings.get("threshold")
name = "01_from_pixels_to_numbers/my_threshold"
threshold = ms.lessons.checkpoint(name, mine, otherwise=0.8)

# %%
other = ms.io.crop(ms.io.segment(fields, "DNA", threshold=threshold))
sizes = ms.features.measure(other, ["shape"], objects="Nuclei")
area_2 = sizes["Nuclei_AreaShape_Area"]
yours = area_2.groupby(other.obs["position"]).agg(["count", "mean"])
yours.round(1)

# %% [markdown]
# The same cells, the same images. The mean change over the three positions, in percent (100 would be twice as many, or
# twice as large):

# %%
change = 100 * (yours / usual - 1)
print("number of nuclei, %:", ms.study.t_interval(change["count"]))
print("mean area, %:       ", ms.study.t_interval(change["mean"]))

# %% [markdown]
# Behind each number stands its **95 % interval**: where the mean change over very many such pictures may lie. (The
# three `units` are the three positions. What a unit is comes at the end.)
#
# Now imagine that the treated pictures were outlined by one person and the untreated ones by another. The difference
# between the two people would look like an effect on the size of the nucleus. **One setting for all images, written
# down, is what protects you.**

# %%
ms.lessons.check("01_from_pixels_to_numbers/threshold")

# %% [markdown]
# ## Exercise 2: the other direction
#
# Here are the nuclei of the *first* position with a threshold of 1.2. **By how many percent did their mean area
# change?** Smaller gives a minus. (`usual_mean` is the mean area with the automatic threshold.)

# %%
first = fields.subset(fields.ids[:1])
mask = ms.io.segment(first, "DNA", threshold=1.2).masks[0]
tight_mean = (mask > 0).sum() / mask.max()  # pixels in all / nuclei
usual_mean = usual["mean"].iloc[0]
print(f"threshold 1: {usual_mean:.1f} px   1.2: {tight_mean:.1f} px")

# %% tags=["exercise"]
percent = ...  # change me

# %% tags=["solution"]
percent = round(100 * (tight_mean / usual_mean - 1), 1)

# %%
pair = (usual_mean, tight_mean)
ms.lessons.check("01_from_pixels_to_numbers/percent", percent, of=pair)

# %%
ms.lessons.hint("01_from_pixels_to_numbers/percent")

# %% [markdown]
# ## Numbers have names
#
# A measured number is called a **feature**. Features come in families. Without further wishes `measure` takes `shape`
# and `intensity` (brightness), which are quick:

# %%
ms.features.families()

# %% [markdown]
# A name is read from left to right: **where** it was measured, **what kind**, **what**, and in which **channel**. And
# you can always ask what a name means:

# %%
print(ms.features.describe("Nuclei_AreaShape_Solidity"))
print(ms.features.describe("Nuclei_Intensity_MeanIntensity_DNA"))
print(ms.features.describe("Nuclei_Texture_Contrast_DNA_3_00_256"))

# %% [markdown]
# ## One feature, back to its cells
#
# On the map each point is a nucleus; its colour is the area. The pictures beside it are sorted: **largest first**.

# %%
size = "Nuclei_AreaShape_Area"
area_view = ms.views.explore(nuclei, "pca", colour=size)
area_view.channels("DNA").sort("-" + size)
area_view

# %% [markdown]
# Under the map you see how the areas are distributed. **Drag over the right end of that plot**: the same nuclei are now
# selected everywhere. (If you select nothing, the next cell goes on with the 20 largest.) Are these large nuclei?

# %%
if len(area_view.selected) == 0:
    area_view.select(area.nlargest(20).index)
ms.views.fields(outlined, "POS076", cells=nuclei, channels=["DNA"])

# %% [markdown]
# Here they are in the whole picture, outlined in orange: your selection is shared by all views of these cells. Enlarge
# the picture and look. Some are large nuclei. Others are **several nuclei in one outline**, because the computer did
# not cut them apart. The top of this table is partly a mistake of the outlines, and the mean area contains it.
#
# And the other end, the smallest? In the list above the pictures the arrow ↑ stands for "smallest first".

# %%
ms.views.gallery(nuclei, sort=size, channels="DNA", rows=2)

# %%
smallest = area.nsmallest(50).index
at_edge = nuclei.obs["at_edge"]
print(f"cut by the edge, all:         {100 * at_edge.mean():.0f} %")
print(f"cut by the edge, 50 smallest: {100 * at_edge[smallest].mean():.0f} %")

# %% [markdown]
# Nuclei that the edge of the picture cut in two gather among the smallest. They are not small, they are not whole.

# %% [markdown]
# ## Exercise 3: name the cell
#
# Each cell has a name, such as `POS002-0001`. **What is the name of the cell with the largest nucleus?** Besides
# `area.max()`, which gives the largest value, there is `area.idxmax()`.

# %% tags=["exercise"]
largest = ...  # change me

# %% tags=["solution"]
largest = area.idxmax()

# %%
ms.lessons.check("01_from_pixels_to_numbers/largest", largest, of=area)

# %%
ms.lessons.hint("01_from_pixels_to_numbers/largest")

# %% [markdown]
# ## Features that only know the plate
#
# Now the study with four plates. We measure brightness, and look at the **controls** alone. They were all treated alike
# (with nothing but the solvent DMSO), so nothing should tell one plate from another.

# %%
brightness = ms.features.measure(study, ["intensity"])
study = study.with_features(brightness)
controls = study.subset(study.controls)
len(controls)

# %% [markdown]
# Which features tell the controls of plate `P4` from those of the other plates? `effect` is the difference of the two
# means, compared with how much single cells differ anyway (their standard deviation): above 1 is a lot. `low` to `high`
# is its interval, over the wells. Then the two means: `mean_selected` is that of plate P4.

# %%
on_p4 = controls.obs["plate"] == "P4"
found = ms.explore.distinguish(controls, on_p4)
found.drop(columns="n_units").head(3).round(2)

# %%
feature = found.index[0]
ms.features.describe(feature)

# %% [markdown]
# The amount of DNA in a cell, about three quarters more! It would be easy to believe in cells that doubled their DNA.
# But nothing was done to these cells: they are controls like all others, on another plate. On plate 4 the stain and the
# size of cells are different, as they are on any plate, and that is all that this number knows.
#
# (We took the feature with the largest effect out of many. Such a winner always looks a little better than it is.)
#
# ## On the scale of the controls
#
# The remedy uses what you have on every plate: controls. For each plate and each feature, take away the mean of the
# plate's controls, and divide by how much they vary. Zero then means "like an untreated cell *of this plate*". That is
# called [**normalising**](glossary.md#normalisation).

# %%
normalised = ms.features.normalize(study)

# %% [markdown]
# Both maps show all cells of the study, coloured by plate: before on the left, after on the right. Draw around points
# on one side and see where they are on the other.

# %%
names = ("before", "after")
ms.views.compare(study, normalised, embedding="pca", names=names)

# %% [markdown]
# It looks mixed. Is it? The same feature, plate P4 against the others, before and after. We ask the **treated** cells:
# they took no part in the normalising. (Each plate got the same treatments.) Asking the controls would be cheating, for
# their mean was *set* to zero on each plate.

# %%
treated = study.subset(~study.controls)
treated_after = normalised.subset(treated.ids)
on_p4 = treated.obs["plate"] == "P4"
raw = ms.explore.distinguish(treated, on_p4, columns=feature)
after = ms.explore.distinguish(treated_after, on_p4, columns=feature)
pd.concat([raw, after], keys=["before", "after"]).iloc[:, :3].round(2)

# %% [markdown]
# Before, the interval is far from 0; after, 0 lies inside it. But that was one feature. The next cell asks all of them
# together: can a computer guess the **plate** of control cells that took no part in the normalising? And can it guess
# the **treatment** on a plate that it has never seen? The first should fall to chance, the second should not fall.

# %%
report = ms.features.batch_report(study, normalised, n_permutations=20)
columns = ["before", "after", "low", "high", "null"]
table = report.table[columns].iloc[[0, 3]].astype(float).round(2)
table.columns = ["before", "after", "change from", "to", "by chance"]
table.index = ["plate guessed right", "treatment guessed right"]
table

# %%
print("plate guessed right, after:", report.figures[0].after)

# %% [markdown]
# A value of 1 means that all guesses are right. There is no sign that the treatment is guessed worse than before: 0
# lies in the interval of its change. The plate is much harder to guess than before, **but it is not gone**: its
# interval lies above chance. To keep cells apart for this test, only half of the control wells could be used for
# normalising, two on each plate. Controls help, few controls help a little.

# %% [markdown]
# ## What is a replicate here?
#
# A [**replicate**](glossary.md#replicate) is an independent repeat of the experiment. The cells of one well share
# their medium, their stain and their place on the plate, so they are not repeats of each other. When data are loaded,
# mlscope wants to know what *is* independent: the [**unit**](glossary.md#unit-of-independence). In this study it is
# the well, and the wells of all plates count.
#
# ## Predict first

# %%
ms.lessons.predict("01_from_pixels_to_numbers/copies")

# %% [markdown]
# One feature, the controls, one mean: all the light of DNA in a cell, in grey values. Three answers to "what is a
# repeat?": the cell, the well, the plate.

# %%
dna_sum = controls.features["Cells_Intensity_IntegratedIntensity_DNA"]
wells = controls.units.rename("well")
over_cells = ms.study.t_interval(dna_sum, controls.ids.to_series(name="cell"))
over_wells = ms.study.t_interval(dna_sum, wells)
over_plates = ms.study.t_interval(dna_sum, controls.obs["plate"])
print(over_cells, over_wells, over_plates, sep="\n")

# %% [markdown]
# The same mean three times, and three very different promises. "Over cells" is much too sure of itself. Between the
# other two it depends on what you want to speak about. About *these four plates*? Then the well is the repeat. About
# **plates to come**? Then the plate is, there are four, and you know as little as the last line says.
#
# Now all cells are copied, so that each is there twice:

# %%
twice = pd.concat([dna_sum, dna_sum])
wells_twice = pd.concat([wells, wells])
print("cells:        ", over_cells)
print("cells, copied:", ms.study.t_interval(twice))
print("wells:        ", over_wells)
print("wells, copied:", ms.study.t_interval(twice, wells_twice))

# %%
ms.lessons.check("01_from_pixels_to_numbers/copies")

# %% [markdown]
# ## Exercise 4: how much too sure?
#
# An interval has two ends, `over_plates.low` and `over_plates.high`; its width is the one minus the other. **How many
# times as wide is the interval over plates as the one over cells?**

# %% tags=["exercise"]
times = ...  # change me

# %% tags=["solution"]
wide = over_plates.high - over_plates.low
times = round(wide / (over_cells.high - over_cells.low), 1)

# %%
both = (over_cells, over_plates)
ms.lessons.check("01_from_pixels_to_numbers/times", times, of=both)

# %%
ms.lessons.hint("01_from_pixels_to_numbers/times")

# %% [markdown]
# ## What goes wrong here
#
# An effect is claimed that does not exist. Does the treatment `clustered` change the amount of actin? First with the
# wells as units, as declared. Then somebody declares each cell to be a unit. (The difference, treated minus controls,
# in grey values.)

# %%
actin = "Cells_Intensity_IntegratedIntensity_actin"
question = ("DMSO", "clustered")
with_cell = study.with_obs(study.ids.to_series(name="cell"))
wrong = with_cell.with_design(unit="cell")
print("wells:", ms.study.difference_interval(actin, study, between=question))
print("cells:", ms.study.difference_interval(actin, wrong, between=question))

# %% [markdown]
# The difference is the same. But the interval over cells leaves out 0, "a significant effect", and the interval over
# wells (the `units`) does not. Who is right? Now we ask the answer key for the same cells, drawn once more **without**
# what the treatment did. How many actin pixels are different?

# %%
clustered = study.where("treatment == 'clustered'")
without = truth.render(clustered.ids, without="cue")
different = without[:, 1] != clustered.images[:, 1]  # channel 1: actin
print(different.sum(), "of", different.size, "pixels")

# %% [markdown]
# None. This treatment does not touch actin; the effect came from counting cells as if each were an experiment of its
# own. (We looked through several treatments and features for an example as clear as this one. That is a warning too:
# who looks through many finds something, and even a correct interval misses the truth once in twenty times.)
#
# mlscope cannot know what is independent in *your* laboratory. But it tells you what is odd about what you declared (a
# [*profile*](glossary.md#profile) is a row that stands for a whole well):

# %%
ms.study.describe(wrong).findings[-1]

# %% [markdown]
# ## What to take home
#
# 1. **Pixels**: know your bit depth, count saturated pixels, subtract the background, measure original files.
# 2. **Outlines**: one setting for all images, and know how much your result moves when it moves.
# 3. **Features**: follow a surprising number back to its cells before you believe it.
# 4. **Plates**: colour the map by plate; put controls on every plate, and more than you think you need.
# 5. **Replicates**: count what is independent. A thousand cells of one well are one well.

# %% [markdown]
# ## The same on your own data
#
# ```python
# fields = ms.io.read_fields("my_images", metadata="layout.csv",
#                            channels=["DNA", "actin"], unit=("plate", "well"),
#                            batch="plate", label="treatment",
#                            control={"treatment": "DMSO"})
# ms.views.tune_segmentation(fields, "DNA")      # then copy its line of code
# nuclei = ms.io.segment(fields, "DNA", threshold=1)
# cells = ms.io.crop(ms.io.segment_cells(nuclei, "actin"))
# cells = cells.with_features(ms.features.measure(cells))
# normalised = ms.features.normalize(cells)
# ms.features.batch_report(cells, normalised)
# ```
#
# `fields.images[0].max()` tells you whether something is saturated: 255 in 8 bit, 65,535 in 16 bit, 4,095 from a camera
# with 12 bit.

# %% [markdown]
# ## Where to go next
#
# You have seen cells that should not be in the table at all: several nuclei in one outline, pieces at the edge. To find
# them, and the blurred and the copied ones, is what notebook `02_curate` is about. How far did you get today?

# %%
ms.lessons.progress("01_from_pixels_to_numbers")

# %% [markdown]
# Finished? Shut this notebook down, so that the next one has its memory. Your labels and answers are kept.

# %%
ms.views.shut_down()
