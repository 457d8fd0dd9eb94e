insert into core.core_resolution_money (
    posting_key, resolution_ref, loan_id, amount, business_date, booked_on, posted_by
)
values (
    %(posting_key)s, %(ref)s, %(loan_id)s, %(amount)s, %(business_date)s, %(booked_on)s, %(posted_by)s
)
on conflict (posting_key) do update
    set
        resolution_ref = excluded.resolution_ref,
        booked_on = excluded.booked_on,
        posted_by = excluded.posted_by,
        is_released = false,
        taken_at = now()
    where core_resolution_money.is_released
