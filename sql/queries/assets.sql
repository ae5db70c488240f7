-- Files that were sent before a job needs them.

-- name: insert_asset
-- No row if the principal has sent the same bytes before.
INSERT INTO assets (key, principal, name, media_type, bytes, sha256) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING RETURNING key;

-- name: find_asset
-- The asset of the principal $2, NULL for any, whose digest begins with $1.
SELECT key, principal, name, media_type, bytes, sha256, created_at FROM assets
WHERE sha256 >= $1 AND sha256 < $1 || 'g' AND ($2::text IS NULL OR principal = $2)
ORDER BY sha256, created_at LIMIT 1;

-- name: delete_asset
DELETE FROM assets WHERE key = $1 AND principal = $2;
