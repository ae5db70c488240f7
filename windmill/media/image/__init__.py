"""Images: their bytes, from a file under IMAGE_ROOT, a URL, an object store or the artifacts, and checks of them.

    source          the image of a job, wherever it is, with limits on format and size
    file_reader     files under IMAGE_ROOT, and none outside it
    reader_threads  the threads that read files, so that a hung network share blocks nothing else
    url_fetcher     URLs: redirects, limits, and no access to the private network
    store_reader    objects in the buckets that IMAGE_STORE_ALLOW names
    artifact_reader files of jobs, by their digest
    decode_check    decodes an image to see whether it is at fault
    crops           crops of boxes in an image
    hashing         the perceptual hash of an image

windmill.kernels.net.private_hosts decides which private hosts a URL may name. The package itself imports none of them:
the child process that decodes does without the network and the event loop, which is a third of its memory.
"""
