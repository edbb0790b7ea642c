"""Proof that a bundle is what it was.

- *verdict*: a finding with the exit code it asks for.
- *seen*: a finished bundle as its folder shows it, its statement authentic or not.
- *line*: the bundles of a chain that are verified, the oldest first.
- *shallow* verification hashes every file and needs no key; *deep* opens volumes and hashes every object.
- *bag*: what `bag` and `bag_rules` verify: a BagIt bag that others made, and nobody signed.
- *proof*: that one object is in a bundle, for somebody who may not see the others.
- *trust*: who may sign for a dataset, and what was last seen of it.

`chain`, `structure`, `proof` and `bag_rules` are rules without IO; `fixity`, `deep` and `bag` read; `dataset` brings
them in order.
"""
