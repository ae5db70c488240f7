-- Runs of urgent jobs are continued only by producers of urgent jobs.

ALTER TABLE runs ADD COLUMN urgent boolean NOT NULL DEFAULT false;
