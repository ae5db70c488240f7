-- Groups of people who talk, and sums over their sessions.

-- name: insert_group
INSERT INTO talk_groups (name, invite_code, created_by) VALUES ($1, $2, $3) RETURNING *;

-- name: insert_member
INSERT INTO talk_members (group_id, principal, role) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING joined_at;

-- name: find_group
SELECT * FROM talk_groups WHERE group_id = $1;

-- name: find_group_by_code
SELECT * FROM talk_groups WHERE invite_code = $1;

-- name: list_own_groups
SELECT g.*, m.role FROM talk_groups AS g JOIN talk_members AS m ON m.group_id = g.group_id
WHERE m.principal = $1 ORDER BY g.created_at;

-- name: read_members
SELECT principal, role, joined_at FROM talk_members WHERE group_id = $1 ORDER BY joined_at, principal;

-- name: read_role
SELECT role FROM talk_members WHERE group_id = $1 AND principal = $2;

-- name: delete_member
DELETE FROM talk_members WHERE group_id = $1 AND principal = $2;

-- name: count_words_by_person
-- In completed sessions since $2, NULL for ever, of the group $1, NULL for all.
SELECT c.attributed_to AS person, c.word, sum(c.count)::integer AS count
FROM session_counts AS c JOIN session_states AS s ON s.session_id = c.session_id
WHERE c.attributed_to IS NOT NULL AND ($1::uuid IS NULL OR s.group_id = $1) AND s.status = 'completed'
  AND ($2::timestamptz IS NULL OR s.ended_at >= $2)
GROUP BY 1, 2 ORDER BY 3 DESC, 2, 1;

-- name: count_completed_sessions
SELECT count(*)::integer FROM session_states
WHERE status = 'completed' AND ($1::uuid IS NULL OR group_id = $1) AND ($2::timestamptz IS NULL OR ended_at >= $2);

-- name: words_of_person
-- What is credited to $1 from $2 to before $3, NULL for any time, with the sessions that it comes from.
SELECT c.word, sum(c.count)::integer AS count
FROM session_counts AS c JOIN sessions AS s ON s.session_id = c.session_id
WHERE c.attributed_to = $1 AND ($2::timestamptz IS NULL OR s.ended_at >= $2)
  AND ($3::timestamptz IS NULL OR s.ended_at < $3)
GROUP BY 1 ORDER BY 2 DESC, 1;

-- name: sessions_of_person
SELECT count(DISTINCT c.session_id)::integer FROM session_claims AS c JOIN sessions AS s ON s.session_id = c.session_id
WHERE c.attributed_to = $1 AND ($2::timestamptz IS NULL OR s.ended_at >= $2)
  AND ($3::timestamptz IS NULL OR s.ended_at < $3);

-- name: totals_of_people
-- All words that are credited to anybody from $1 to before $2, by person.
SELECT c.attributed_to AS person, sum(c.count)::integer AS count
FROM session_counts AS c JOIN sessions AS s ON s.session_id = c.session_id
WHERE c.attributed_to IS NOT NULL AND s.ended_at >= $1 AND s.ended_at < $2 GROUP BY 1 ORDER BY 2 DESC, 1;

-- name: trend_of_person
-- What is credited to $1 by the $2, such as week, that sessions ended in; the newest $3.
SELECT date_trunc($2, s.ended_at) AS since, sum(c.count)::integer AS count
FROM session_counts AS c JOIN sessions AS s ON s.session_id = c.session_id
WHERE c.attributed_to = $1 AND s.ended_at IS NOT NULL GROUP BY 1 ORDER BY 1 DESC LIMIT $3;
