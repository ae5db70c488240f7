-- Calls that all processes of the fleet may make at once to a service that bears few: a row for each.

-- Free from `until` on, whatever became of the holder of the lease. wanted_by: who waits for the slot and has it next.
CREATE TABLE fleet_slots (
    service   text NOT NULL,
    slot      integer NOT NULL,
    lease     uuid,
    until     timestamptz NOT NULL DEFAULT now(),
    wanted_by uuid,
    wanted_at timestamptz,
    PRIMARY KEY (service, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
