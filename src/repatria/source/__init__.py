"""What is copied: the objects of a dataset, wherever they are today.

ObjectSource    lists and reads the objects of one `[[source]]` of a manifest
StoreSource     the objects of a store, less what the manifest's patterns leave out
"""
