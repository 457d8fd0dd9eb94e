-- What the last two builds touched must be whole: a build that a task's colour calls green may have built nothing.
-- Each scope starts where the last but one build of its model left off, so that the check costs what was touched.
select
    coalesce((
        select max(_read_horizon) from base.base_payment_file
        where _read_horizon < (select max(_read_horizon) from base.base_payment_file)
    ), 0) as file_from,
    coalesce((select max(_read_horizon) from base.base_payment_file), 0) as file_until,
    coalesce((
        select max(_read_horizon) from core.core_payment_sighting
        where _read_horizon < (select max(_read_horizon) from core.core_payment_sighting)
    ), 0) as sighting_from,
    coalesce((
        select max(_read_horizon) from core.core_transaction_data
        where _read_horizon < (select max(_read_horizon) from core.core_transaction_data)
    ), 0) as transaction_from,
    coalesce((select max(_read_horizon) from core.core_transaction_data), 0) as transaction_until
