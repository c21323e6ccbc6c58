# %% [markdown]
# # An example
#
# **What you will be able to do**: build a notebook.

# %%
import mlscope_nb as ms

areas = [10, 20, 30]

# %%
ms.lessons.predict("00_example/larger")

# %%
sum(areas), max(areas)

# %%
ms.lessons.check("00_example/larger")

# %% [markdown]
# ## Exercise

# %% tags=["exercise"]
mean = ...  # change me

# %% tags=["solution"]
mean = sum(areas) / len(areas)

# %% [markdown] tags=["solution"]
# Each cell counts the same.

# %%
ms.lessons.check("00_example/mean", mean)

# %%
ms.lessons.hint("00_example/mean")

# %% id="picked"
picked = ...  # change me
picked = ms.lessons.checkpoint("00_example/picked", picked)

# %%
ms.lessons.progress("00_example")
