"""Pitfalls as experiments: one module for each, or for each small family; texts in ``texts.toml``.

A pitfall is a function of a dose and a seed that makes a small study, walks into the trap, walks around it, and looks
at a study where there is no trap: ``leakage(dose, seed) -> Found``.
"""
