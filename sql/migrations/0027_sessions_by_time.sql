-- Whoever may see all sessions looks at the newest ones first.
CREATE INDEX sessions_started ON sessions (started_at DESC, session_id);
