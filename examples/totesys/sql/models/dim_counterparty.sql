-- Counterparties, customers and suppliers, each with its legal address.
--
-- Grain: one row for each counterparty.
-- Key: counterparty_id.
-- Reads: current.counterparty, current.address.
-- Why: a left join, so that a counterparty whose address is gone stays, with
-- the columns of the address null.

with counterparties as (
    select
        counterparty_id,
        counterparty_legal_name,
        legal_address_id
    from current.counterparty
),

addresses as (
    select
        address_id,
        address_line_1,
        address_line_2,
        district,
        city,
        postal_code,
        country,
        phone
    from current.address
)

select
    counterparties.counterparty_id,
    counterparties.counterparty_legal_name,
    addresses.address_line_1 as counterparty_legal_address_line_1,
    addresses.address_line_2 as counterparty_legal_address_line_2,
    addresses.district as counterparty_legal_district,
    addresses.city as counterparty_legal_city,
    addresses.postal_code as counterparty_legal_postal_code,
    addresses.country as counterparty_legal_country,
    addresses.phone as counterparty_legal_phone_number
from counterparties
left join addresses
    on addresses.address_id = counterparties.legal_address_id
