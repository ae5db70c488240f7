-- Which jobs somebody means: those that match all that is not NULL. PostgreSQL puts the body in place of the call, so
-- that it walks jobs by their ids and stops at a limit. A job that has not ended is as old as its submission; one whose
-- deletion was interrupted is of any age, so that whoever deletes old jobs takes it up.
CREATE FUNCTION matching_jobs(statuses text[], kinds text[], presets text[], principals text[], error_codes text[],
                              older_seconds double precision) RETURNS SETOF jobs LANGUAGE sql STABLE AS $$
    SELECT * FROM jobs
    WHERE (statuses IS NULL OR status = ANY (statuses))
      AND (kinds IS NULL OR kind = ANY (kinds))
      AND (presets IS NULL OR preset = ANY (presets))
      AND (principals IS NULL OR principal = ANY (principals))
      AND (error_codes IS NULL OR error_code = ANY (error_codes))
      AND (older_seconds IS NULL OR status = 'deleting'
           OR coalesce(ended_at, created_at) < statement_timestamp() - make_interval(secs => older_seconds))
$$;
