-- Whether services still find what they found before.

-- found_at: when the service was last known to find what its canary shows. blind_since: when it no longer did.
-- recovered_at: when it did again; its answers until then are judged a little later.
CREATE TABLE canaries (
    service      text PRIMARY KEY,
    found_at     timestamptz NOT NULL,
    blind_since  timestamptz,
    recovered_at timestamptz
);

-- Answers of a blind service that are to be asked for again; a worker of the service removes them as it does.
CREATE TABLE blind_answers (
    service  text NOT NULL,
    image_id bigint NOT NULL,
    PRIMARY KEY (service, image_id)
);

CREATE INDEX postprocessing_created ON postprocessing USING brin (result_created) WITH (pages_per_range = 32);

-- Whether predictions, as a service gave them, contain nothing of this kind.
CREATE FUNCTION finds_nothing(predictions json, kind text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT CASE WHEN json_typeof(predictions) = 'array' THEN NOT EXISTS (
        SELECT FROM json_array_elements(predictions) AS one
        WHERE CASE kind WHEN 'words' THEN coalesce(one ->> 'text', '') <> ''
                        WHEN 'color' THEN one -> 'primary' ->> 'hex' IS NOT NULL
                        ELSE true END
    ) ELSE false END
$$;
