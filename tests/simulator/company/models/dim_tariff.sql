-- What a device costs in each state.
--
-- Grain: one row for each state.
-- Key: state.
-- Reads: changed.tariff.

select
    state,
    price
from changed.tariff
