"""The example is a notebook source, not a module: nothing may import it."""

collect_ignore_glob = ["example/*"]
