-- What a service was sent for an image, and which bytes the image had then.

-- NULL if the file itself was sent, and is upright. Else width and height of the upright image, its EXIF orientation,
-- and under `sent` the JPEG that was made of it: boxes in `data` are in the pixels of what was sent.
ALTER TABLE results ADD COLUMN image_sent jsonb;
-- Length and checksum of the file: other bytes later mean that the image was exchanged.
ALTER TABLE results ADD COLUMN image_fingerprint bigint;
