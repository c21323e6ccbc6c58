# %% [markdown]
# # 00 · Start here: from a picture to the cells behind a plot
#
# ## What you will be able to do
#
# - run a notebook, change a line, and get out of trouble;
# - look at real microscopy images, channel by channel;
# - turn images into single cells, and cells into points on a map;
# - draw a lasso on the map, see *which* cells they are, and give them a name.
#
# Run-all: 1 minute · Learning: 40 minutes · Memory: 800 MB

# %% [markdown]
# ## Five minutes of Jupyter
#
# This page is a **notebook**: text cells like this one, and code cells like the one below.
#
# - Click into a code cell and press **Shift + Enter**. It runs, and the answer appears under it.
# - `[*]` beside a cell means "still running", a number means "done".
# - Run the cells **from top to bottom**: each uses what the ones above it made.
# - `NameError: name '…' is not defined` means that a cell further up was not run. In the menu: **Run → Run All Above
#   Selected Cell**, then run yours again. After a pause, or a restart of the kernel, do the same.
# - Stuck? **Kernel → Restart Kernel and Run All Cells…** starts again from a clean state. You cannot break anything.
#
# Try it:

# %%
2 + 3

# %% [markdown]
# Code can be changed. Where you see `# change me`, edit that line and run the cell again.

# %%
my_name = "Ada"  # change me
print("Hello", my_name)

# %% [markdown]
# ## What we are going to do
#
# Four steps lead from images to a claim. At each of them something can quietly go wrong.
#
# | step | the question |
# |---|---|
# | **curate** | are the data what they say they are? |
# | **explore** | what is in there, and how far can a map be trusted? |
# | **predict** | does it still work on the next plate? |
# | **explain** | what does the model really look at? |
#
# Today you get the images ready and **explore** them: from a picture to a map, and back to the cells. First, the tools:

# %%
import mlscope_nb as ms

# %% [markdown]
# How much memory is there? A notebook that you closed goes on running, and keeps its memory, until it is shut down.
# Others that are running are listed here, each with a button.

# %%
ms.views.running()

# %% [markdown]
# ## Look at real images
#
# These are cells of the fruit fly *Drosophila* (Kc167 cells), photographed at three **positions**. Each position was
# photographed three times, once for each stain. One such photograph is called a [**channel**](glossary.md#channel):
# `DNA` shows the nuclei, `F` and `R` are two further stains.

# %%
fields = ms.datasets.load_fields("fly")
fields

# %% [markdown]
# Read the note in the box above: there is **one picture for each position**. Keep it in mind, it comes back.
#
# Now look closely. Switch channels on and off, move the contrast sliders, go to another position. Contrast changes
# what *you see*. It never changes the numbers in the image.

# %%
ms.views.fields(fields)

# %% [markdown]
# ## Predict first
#
# Before you compute anything, make a guess. You learn more from a guess that turns out wrong than from no guess.

# %%
ms.lessons.predict("00_start_here/position")

# %% [markdown]
# ## Find the cells
#
# A computer does not see cells, only brightness. [**Segmentation**](glossary.md#segmentation) decides which pixels
# belong to which cell: first the nuclei, which are bright and well apart, then the rest of each cell, grown outwards
# from its nucleus.

# %%
nuclei = ms.io.segment(fields, "DNA")
segmented = ms.io.segment_cells(nuclei, "F")

# %% [markdown]
# The outlines show what the computer decided. Look where cells touch. Do you agree everywhere? Nobody does:
# every number that follows depends on these outlines.

# %%
ms.views.fields(segmented, height=640)

# %% [markdown]
# Now a small picture is cut out around every cell. That gives us single cells.

# %%
cells = ms.io.crop(segmented)
cells

# %% [markdown]
# ## Turn cells into numbers
#
# Each cell is measured: its area, its shape, how bright it is in each channel. Such numbers are called
# [**features**](glossary.md#feature). Here are two of them for the first five cells: the area of the whole cell
# (`Cells_…`) and that of its nucleus (`Nuclei_…`), in pixels. One row is one cell.

# %%
cells = cells.with_features(ms.features.measure(cells))
cells.table(["Cells_AreaShape_Area", "Nuclei_AreaShape_Area"]).head()

# %% [markdown]
# ## The map and the lasso
#
# Nobody can look at so many numbers at once. A [**map**](glossary.md#map) places every cell as a point, so that cells
# with similar numbers lie near each other. PCA and UMAP are two ways to draw such a map: PCA is there at once, UMAP
# takes its place when it is ready. The colour shows the area of each cell, in pixels.
#
# **Now draw.** Hold the mouse button and circle some points. The pictures on the right are *those* cells. Circle
# another region: what is different? Then type a name and press **Label selection**.

# %%
map_view = ms.views.explore(cells, colour="Cells_AreaShape_Area")
map_view

# %% [markdown]
# What you circled is not only a picture. It is also here, in Python, by the name of each cell. This cell counts them.
# (If you circled nothing yet, it goes on with large cells.) Circled something else? **Run this cell again**, and those
# below it.

# %%
large = cells.where("Cells_AreaShape_Area > 1000").ids
mine = map_view.selected
picked = ms.lessons.checkpoint("00_start_here/picked", mine, otherwise=large)
len(picked)

# %% [markdown]
# ## Exercise 1: cells at the edge
#
# What is known about each cell stands in the table `cells.obs`. `.head(3)` shows its first three rows:

# %%
cells.obs.head(3)

# %% [markdown]
# A column is taken out with its name in brackets, and a column can be summed up. The largest `x_px`, for example (how
# far right the centre of a cell lies, in pixels):

# %%
print(cells.obs["x_px"].max())

# %% [markdown]
# Some cells are cut in two by the edge of the picture. They are not thrown away, they are marked in the column
# `at_edge`: `True` or `False`. **How many are at the edge?** Replace the three dots and run the cell. (`True` counts as
# 1, and besides `.max()` there is `.sum()`.)

# %% tags=["exercise"]
at_edge = ...  # change me

# %% tags=["solution"]
at_edge = cells.obs["at_edge"].sum()

# %%
ms.lessons.check("00_start_here/edge", at_edge, of=cells)

# %%
ms.lessons.hint("00_start_here/edge")

# %% [markdown]
# ## Exercise 2: where do your cells come from?
#
# Are the cells that you circled from one position, or from all three? Count them. **What is the largest share of the
# circled cells that comes from one single position?** A number between 0 and 1.

# %%
positions = cells.obs.loc[picked, "position"]
positions.value_counts()

# %% tags=["exercise"]
largest_share = ...  # change me

# %% tags=["solution"]
largest_share = positions.value_counts(normalize=True).max()

# %%
ms.lessons.check("00_start_here/share", largest_share, of=positions)

# %%
ms.lessons.hint("00_start_here/share")

# %% [markdown]
# ## So, was your guess right?
#
# The map, coloured by position:

# %%
map_view.show(colour="position")

# %%
ms.lessons.check("00_start_here/position")

# %% [markdown]
# ## What goes wrong here
#
# There are many cells, but only **three** pictures. Cells of one picture share its light, its focus and its staining,
# so they are not independent witnesses. mlscope asks you to declare what *is* independent: the **unit**. Here the
# position is the unit, and it says:

# %%
ms.study.describe(cells)

# %% [markdown]
# Each position is there once, so one position cannot be compared with another. A mean over all three can be had.
# Below: the mean cell area in pixels, and its [**95 % interval**](glossary.md#interval): where the mean over very many
# such pictures may lie. Its width comes from the differences between the three pictures, not between the cells:

# %%
ms.study.t_interval("Cells_AreaShape_Area", cells)

# %% [markdown]
# A group can also be made by the computation. Around some nuclei no cell body was found: too faint, or no cell at all.
# They have no numbers about a cell body.

# %%
no_body = cells.where("Cytoplasm_AreaShape_Area == 0")
map_view.select(no_body.ids)

# %% [markdown]
# See where they lie on the UMAP: apart from all others. A map needs a number everywhere, so it put the middle value of
# all cells into the gaps, and *that* made these cells alike. Such an island is no new kind of cell.

# %% [markdown]
# ## What to take home
#
# 1. A map shows **groups**; it does not say **why** they are groups. Colour it by position (or plate, or day) first.
# 2. A thousand cells of one picture are **one** picture. Count what is independent.
# 3. Every number goes back to pixels. When a plot surprises you, **lasso it and look at the cells**.

# %% [markdown]
# ## The same on your own data
#
# Put your images into a folder beside this notebook, with a table that says which file comes from which well:
#
# ```python
# fields = ms.io.read_fields("my_images", metadata="layout.csv",
#                            channels=["DNA", "actin"], unit="well")
# nuclei = ms.io.segment(fields, "DNA")
# segmented = ms.io.segment_cells(nuclei, "actin")
# ```
#
# One file for each channel? Then `channels={"DNA": "*_w1.tif", "actin": "*_w2.tif"}`, and the table names the files of
# the first channel. Files that cannot be read are named and left out. After that: `crop`, `measure` and `explore` as
# above, with `well` in the place of `position`.

# %% [markdown]
# ## Where to go next
#
# The solutions of the exercises are in the folder `solutions`. Notebook `01_from_pixels_to_numbers` goes on from here:
# what happens to a picture before it is a number. And take your own images (above): nothing teaches as much as a
# picture that you took yourself. How far did you get today?

# %%
ms.lessons.progress("00_start_here")

# %% [markdown]
# Finished? Shut this notebook down, so that the next one has its memory. Your labels and answers are kept.

# %%
ms.views.shut_down()
