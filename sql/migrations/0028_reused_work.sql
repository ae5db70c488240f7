-- What a task is made of: the digest of its step, its input, its files and the versions of what works on them. A task
-- that was made of the same need not run again. Only steps that say what they are made with have one.
ALTER TABLE tasks ADD COLUMN made_of text;
CREATE INDEX tasks_made_of ON tasks (made_of) WHERE made_of IS NOT NULL AND status = 'succeeded';

-- So many tasks of the step were not run, as there was a result.
ALTER TABLE steps ADD COLUMN reused integer NOT NULL DEFAULT 0;
