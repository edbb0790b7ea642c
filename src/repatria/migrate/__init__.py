"""Bringing a dataset home: inventory, plan, copy, restore.

inventory    the objects of a dataset, counted, with what was recognised in a sample of them
sample       the first bytes of an object, looked at in memory and forgotten
shape        a value with its letters and digits masked: what an inventory may show of it
slice        what goes into one member: an object, or one part of it
unit         volumes that one worker fills in order, because objects run from one into the next
taken again  an object that changed while it was copied, and is copied once more as it is now
night        one time in which a window is open
"""
