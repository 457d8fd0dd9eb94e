-- Active loans that have been overdue for so many days. How much they owe is asked of Fineract, loan by loan.
select loan.loan_id
from core.core_loan_master as loan
where
    loan.lender = %(lender)s
    and loan.loan_id is not null
    and loan.status_id = 300
    and loan.overdue_since <= %(today)s::date - %(days)s
order by loan.overdue_since, loan.loan_id
