-- Slots for calls, shared by the whole fleet: leases that expire by the clock of the database.

-- name: create_fleet_slots
-- Slots 0 to $2 - 1 of the service $1.
INSERT INTO fleet_slots (service, slot) SELECT $1, generate_series(0, $2::integer - 1) ON CONFLICT DO NOTHING;

-- name: take_fleet_slot
-- Lease one of the first $2 slots of the service $1 for $4 seconds, under the name $5. If none is free and $6, the
-- process $3 is noted as the next one, unless another waits already; whoever does not ask again for two seconds has gone.
WITH free AS (
    SELECT slot FROM fleet_slots
    WHERE service = $1 AND slot < $2 AND until <= clock_timestamp()
      AND (wanted_by IS NULL OR wanted_by = $3 OR wanted_at < clock_timestamp() - interval '2 seconds')
    ORDER BY wanted_by IS DISTINCT FROM $3, until
    LIMIT 1 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE fleet_slots AS kept
    SET lease = $5, until = clock_timestamp() + make_interval(secs => $4), wanted_by = NULL, wanted_at = NULL
    FROM free WHERE kept.service = $1 AND kept.slot = free.slot
    RETURNING kept.slot
), waits_no_more AS (
    UPDATE fleet_slots AS kept SET wanted_by = NULL, wanted_at = NULL
    FROM taken WHERE kept.service = $1 AND kept.wanted_by = $3 AND kept.slot <> taken.slot
), wanted AS (
    UPDATE fleet_slots AS kept SET wanted_by = $3, wanted_at = clock_timestamp()
    WHERE $6 AND NOT EXISTS (SELECT FROM taken) AND kept.service = $1
      AND kept.slot = coalesce(
          (SELECT slot FROM fleet_slots WHERE service = $1 AND slot < $2 AND wanted_by = $3 LIMIT 1),
          (SELECT slot FROM fleet_slots
           WHERE service = $1 AND slot < $2
             AND (wanted_by IS NULL OR wanted_at < clock_timestamp() - interval '2 seconds')
           ORDER BY until LIMIT 1))
      AND (kept.wanted_by IS NULL
           OR kept.wanted_at < clock_timestamp()
                               - CASE WHEN kept.wanted_by = $3 THEN interval '0.5 s' ELSE interval '2 s' END)
)
SELECT slot FROM taken;

-- name: renew_fleet_slot
-- Lease the slot $2 for $4 seconds more, or free it if another process waits for it. No row if the lease has expired.
UPDATE fleet_slots
SET until = clock_timestamp() + CASE WHEN wanted_at > clock_timestamp() - interval '2 seconds'
                                     THEN interval '0' ELSE make_interval(secs => $4) END
WHERE service = $1 AND slot = $2 AND lease = $3 AND until > clock_timestamp()
RETURNING until > clock_timestamp() AS kept;

-- name: free_fleet_slot
UPDATE fleet_slots SET until = clock_timestamp() WHERE service = $1 AND lease = $2;
