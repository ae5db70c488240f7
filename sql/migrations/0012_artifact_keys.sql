-- Sweeps walk the keys of artifacts by their bytes, as stores list them. Keys are made of digests, so nobody asks for
-- those any more.
CREATE INDEX artifacts_key ON artifacts (key COLLATE "C");
DROP INDEX artifacts_digest;
