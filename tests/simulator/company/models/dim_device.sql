-- Devices, less those that were given up.
--
-- Grain: one row for each device.
-- Key: serial.
-- Reads: changed.device.
-- Why: a device is deleted by a time in deleted_at, its row stays.

select
    serial,
    state,
    batch as device_batch
from changed.device
where deleted_at is null
