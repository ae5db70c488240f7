"""Images: their bytes, from a path under IMAGE_ROOT or a URL that may be fetched; and a look at them, where needed.

    source          which of the two a job means, and whether the bytes are worth sending
    folder          files below IMAGE_ROOT, and none beside it
    reader_threads  where files are read, so that a share that hangs stops nothing else
    web             URLs, and none into the private network
    check           whether an image that a service failed on is itself at fault; decodes it
    crops           cutting boxes out of an image

Which hosts are private is judged by windmill.kernels.text.hosts.
"""

from windmill.kernels.text.hosts import may_name
from windmill.media.image.source import ImageSource, looks_like_image

__all__ = ["ImageSource", "looks_like_image", "may_name"]
