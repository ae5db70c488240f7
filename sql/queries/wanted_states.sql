-- What people want of services and steps for now. A pause that is over is none, by the clock of the database.

-- name: read_wanted_states
SELECT name, paused AND coalesce(paused_until > clock_timestamp(), true) AS paused, paused_until, reason, concurrency,
       owner, version, changed_at
FROM wanted_states ORDER BY name;

-- name: make_wanted_state
INSERT INTO wanted_states (name) VALUES ($1) ON CONFLICT (name) DO NOTHING;

-- name: lock_wanted_state
SELECT name, paused AND coalesce(paused_until > clock_timestamp(), true) AS paused, paused_until, reason, concurrency,
       owner, version, changed_at
FROM wanted_states WHERE name = $1 FOR NO KEY UPDATE;

-- name: write_wanted_state
UPDATE wanted_states
SET paused = $2, paused_until = $3, reason = $4, concurrency = $5, owner = $6, version = version + 1,
    changed_at = clock_timestamp()
WHERE name = $1
RETURNING name, paused, paused_until, reason, concurrency, owner, version, changed_at;
