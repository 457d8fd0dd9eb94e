select
    report.lender || ' ' || report.month as id,
    report.*
from core.core_resolution_report as report
