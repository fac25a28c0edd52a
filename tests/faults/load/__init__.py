"""Load figures (FAULTS L1-L11): they measure, and assert what was promised. All of them are `long`."""
