"""The evidence sheet: facts as plain values first, then answers, sections and pages made of nothing but these."""
