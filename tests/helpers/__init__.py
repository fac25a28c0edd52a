"""What tests of several kinds share: verbs, models, simulated parts."""
