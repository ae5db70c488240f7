"""ArchiveReader: members of tar and zip files, read where they lie and never unpacked.

    members        what a member is, which names are refused, and a small table to find members by name
    tar_headers    what the headers of a tar file say
    zip_directory  what the directory of a zip file says, and the bytes that it packed
    reading        a member's bytes out of an open archive, by a table that is kept for the next one

A member is named as photos.tar#folder/member.jpg: the archive's path, a # and the name in it. A file of that very name
goes before: `#` is a character like any other in the names of files.
"""

from windmill.media.archive.archive_reader import ArchiveReader, Parts, split
from windmill.media.archive.members import BadArchive, Member, Refused

__all__ = ["ArchiveReader", "BadArchive", "Member", "Parts", "Refused", "split"]
