"""The broker against models of it: what must be true under any sequence of operations.

A *model* plays a list of operations, drawn by hypothesis, against a node over a store on a disk that crashes. It knows
messages by their bodies. What it does itself (to publish, to acknowledge) it writes down; what the broker does by
itself (a message expires, a job moves it) it does not foresee, but observes: in deliveries, and in everything that the
store owes after a start. Then every message must be where it may be, once, and one that is nowhere must have a reason.

Durability is told by *moments*: what is done is numbered, and a commit that somebody waits for confirms everything up
to its number. After a crash, what was confirmed must be there; the rest may be, as long as it is all or nothing.

===============  ===============================================================  ==================================
model            what it is about                                                   what it knows
===============  ===============================================================  ==================================
`deaths.py`      dead letters, expiry, bounds, priorities, transactions, redrive    `fates.py`
`waits.py`       delays, clocks that are set, consumers that put messages off       when each is due, how often put off
`publishers.py`  deduplication ids and producers' numbers                           a list of all that was accepted
`moves.py`       jobs that move messages, with others beside them                   where each was sent
`mixture/`       all features of queues at once                                     `letters.py`
===============  ===============================================================  ==================================

What they share stands in `tests/property/lives.py` (lives, crashes), in `operation.py` beside it (what is drawn), in
`broker_lives.py` (the node) and in `owed.py` (what a store owes). The other tests here need no crash, or a model of one
line; `test_model.py` is the smallest one of a broker, over a played store.

To see a failure: hypothesis prints the list of operations. `play` them in a test of your own, and print in `_step`.
"""
