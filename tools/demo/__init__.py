"""The main job on an embedded example: local folders, no server, everything in one folder.

scene     the folder of the demo, made anew for each run, and what a session in it sees
hospital  the files of a hospital abroad, and its large database dump
letters   a stack of typed French letters, drawn and then degraded as a scanner finds them
play      the commands of the program, run one after the other as a person would
compare   two trees, byte for byte
"""
