"""The main job on an embedded example: local folders, no server, everything in one folder.

scene      the folder of the demo, made anew for each run, and what a session in it sees
play       commands run one after the other, as a person would type them, each checked
migration  the first act: a hospital's data comes home
archive    the second act: a stack of letters is read and found again
hospital   the files of a hospital abroad, with what lesser tools stumble over
records    what those files say, each in its own format
dump       the hospital's database dump, larger than a volume
letters    what the letters say
sheet      a letter typed on paper, and what time and the scanner did to it
scans      the scanner's files: TIFF of several pages, JPEG, PNG, PDF
compare    two trees, byte for byte
"""
