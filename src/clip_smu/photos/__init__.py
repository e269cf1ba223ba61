"""Photos: whatever the user typed (files, folders, globs, lists, tars, standard input) as one stream."""

from clip_smu.photos.inputs import PhotoStream, count_photos, iter_photos
from clip_smu.photos.kinds import PHOTO_SUFFIXES, left_out_line
from clip_smu.photos.photo import Photo

__all__ = ["PHOTO_SUFFIXES", "Photo", "PhotoStream", "count_photos", "iter_photos", "left_out_line"]
