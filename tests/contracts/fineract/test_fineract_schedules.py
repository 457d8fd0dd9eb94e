"""Repayment schedules, worked out by hand. Sums in rupees; every rounding is half-even to paise."""

from decimal import Decimal

import pytest

from tests.contracts.fineract.contract_client import (
    DAILY,
    DECLINING,
    EQUAL_INSTALLMENTS,
    EQUAL_PRINCIPAL,
    FLAT,
    Borrower,
    Fineract,
    code_of,
    dues,
    money,
)


def _pairs(principals: list[Decimal], interests: list[Decimal]) -> list[tuple[Decimal, Decimal]]:
    return list(zip(principals, interests, strict=True))


def test_equal_installments_follow_the_annuity_formula_and_the_last_absorbs_the_rest(
    borrower: Borrower,
) -> None:
    # r = 12 % / 12 = 0.01; 1.01^12 = 1.126825030131970
    # EMI = 100000 * 0.01 * 1.126825.../0.126825... = 8884.8788 -> 8884.88
    # interest = balance * 0.01, principal = 8884.88 - interest:
    #  1: 100000.00 -> 1000.00, 7884.88      7:  51492.09 ->  514.92 (514.9209), 8369.96
    #  2:  92115.12 ->  921.15, 7963.73      8:  43122.13 ->  431.22 (431.2213), 8453.66
    #  3:  84151.39 ->  841.51, 8043.37      9:  34668.47 ->  346.68 (346.6847), 8538.20
    #  4:  76108.02 ->  761.08, 8123.80     10:  26130.27 ->  261.30 (261.3027), 8623.58
    #  5:  67984.22 ->  679.84, 8205.04     11:  17506.69 ->  175.07 (175.0669), 8709.81
    #  6:  59779.18 ->  597.79, 8287.09     12:   8796.88 ->   87.97 ( 87.9688), all that is left: 8796.88
    periods = borrower.schedule(principal=100000, interestType=DECLINING)
    assert dues(periods) == _pairs(
        money(
            *("7884.88", "7963.73", "8043.37", "8123.80", "8205.04", "8287.09"),
            *("8369.96", "8453.66", "8538.20", "8623.58", "8709.81", "8796.88"),
        ),
        money(
            *("1000.00", "921.15", "841.51", "761.08", "679.84", "597.79"),
            *("514.92", "431.22", "346.68", "261.30", "175.07", "87.97"),
        ),
    )
    assert [p["totalDueForPeriod"] for p in periods] == money(*["8884.88"] * 11, "8884.85")


def test_installments_in_multiples_round_up_and_the_last_pays_what_is_left(fineract: Fineract) -> None:
    # 5000 / 18 = 277.78 -> 278 in multiples of 1; 17 * 278 = 4726; 5000 - 4726 = 274
    product = fineract.product(
        interestRatePerPeriod=0, numberOfRepayments=18, installmentAmountInMultiplesOf=1
    )
    borrower = Borrower(fineract, fineract.client(), product)
    periods = borrower.schedule(
        principal=5000, numberOfRepayments=18, interestRatePerPeriod=0, interestType=DECLINING
    )
    assert dues(periods) == _pairs(money(*["278.00"] * 17, "274.00"), money(*["0.00"] * 18))


def test_installments_in_multiples_round_down_and_the_last_is_larger(fineract: Fineract) -> None:
    # EMI = 10000 * 0.01 * 1.01^6 / (1.01^6 - 1) = 1725.48 -> 1700 in multiples of 100; principal = 1700 - interest:
    # 10000.00: 100.00, 1600.00 | 8400.00: 84.00, 1616.00 | 6784.00: 67.84, 1632.16 | 5151.84: 51.52 (51.5184), 1648.48
    # 3503.36: 35.03 (35.0336), 1664.97 | 1838.39: 18.38 (18.3839), the rest 1838.39
    product = fineract.product(numberOfRepayments=6, installmentAmountInMultiplesOf=100)
    borrower = Borrower(fineract, fineract.client(), product)
    periods = borrower.schedule(principal=10000, numberOfRepayments=6, interestType=DECLINING)
    assert dues(periods) == _pairs(
        money("1600", "1616", "1632.16", "1648.48", "1664.97", "1838.39"),
        money("100", "84", "67.84", "51.52", "35.03", "18.38"),
    )


@pytest.mark.parametrize(
    ("principal", "interest"),
    [
        ("1000.50", "10.00"),  # 10.005 lies between 10.00 and 10.01: the even one
        ("1001.50", "10.02"),  # 10.015 lies between 10.01 and 10.02: the even one
    ],
)
def test_half_a_paisa_goes_to_the_even_side(borrower: Borrower, principal: str, interest: str) -> None:
    terms = {"numberOfRepayments": 2, "interestType": DECLINING, "amortizationType": EQUAL_PRINCIPAL}
    periods = borrower.schedule(principal=principal, **terms)
    assert Decimal(periods[0]["interestDue"]) == Decimal(interest)


def test_equal_principal_pays_falling_interest(borrower: Borrower) -> None:
    # 12000 / 12 = 1000 a month; interest = 1 % of 12000, 11000, ..., 1000
    periods = borrower.schedule(interestType=DECLINING, amortizationType=EQUAL_PRINCIPAL)
    assert dues(periods) == [(Decimal(1000), Decimal(10 * left)) for left in range(12, 0, -1)]


def test_flat_interest_is_spread_evenly_and_the_last_absorbs_the_rest(borrower: Borrower) -> None:
    # 10000 * 10 % / 12 * 7 = 583.33; / 7 = 83.33, six times 499.98, last 83.35
    # 10000 / 7 = 1428.57, six times 8571.42, last 1428.58
    terms = {"principal": 10000, "interestRatePerPeriod": 10, "numberOfRepayments": 7}
    periods = borrower.schedule(interestType=FLAT, **terms)
    assert dues(periods) == _pairs(money(*["1428.57"] * 6, "1428.58"), money(*["83.33"] * 6, "83.35"))


def test_principal_grace_charges_interest_only_and_shortens_the_annuity(borrower: Borrower) -> None:
    # two months of interest only: 1 % of 10000 = 100; then 4 installments of
    # 10000 * 0.01 * 1.01^4 / (1.01^4 - 1) = 104.060401 / 0.04060401 = 2562.8109 -> 2562.81:
    # 10000: 100.00, 2462.81 | 7537.19: 75.37 (75.3719), 2487.44 | 5049.75: 50.50 (50.4975), 2512.31
    # 2537.44: 25.37 (25.3744), the rest 2537.44
    terms = {"principal": 10000, "numberOfRepayments": 6, "graceOnPrincipalPayment": 2}
    periods = borrower.schedule(interestType=DECLINING, amortizationType=EQUAL_INSTALLMENTS, **terms)
    assert dues(periods) == _pairs(
        money("0", "0", "2462.81", "2487.44", "2512.31", "2537.44"),
        money("100", "100", "100", "75.37", "50.50", "25.37"),
    )


def test_daily_interest_counts_the_days_of_each_month(borrower: Borrower) -> None:
    # 36500 at 10 % over 365 days is 10.00 a day; principal 36500 / 5 = 7300 a month from 1 January 2025:
    # 31 days at 10 = 310 | 28 at 8 = 224 | 31 at 6 = 186 | 30 at 4 = 120 | 31 at 2 = 62
    periods = borrower.schedule(
        principal=36500,
        interestRatePerPeriod=10,
        numberOfRepayments=5,
        interestType=DECLINING,
        amortizationType=EQUAL_PRINCIPAL,
        interestCalculationPeriodType=DAILY,
        expectedDisbursementDate="2025-01-01",
    )
    assert dues(periods) == _pairs(money(*["7300"] * 5), money("310", "224", "186", "120", "62"))
    assert [p["daysInPeriod"] for p in periods] == [31, 28, 31, 30, 31]


def test_due_dates_keep_the_day_of_month_and_bow_to_short_months(borrower: Borrower) -> None:
    periods = borrower.schedule(numberOfRepayments=3, expectedDisbursementDate="2025-01-31")
    assert [p["dueDate"] for p in periods] == [[2025, 2, 28], [2025, 3, 31], [2025, 4, 30]]


def test_a_first_repayment_date_moves_every_due_date(borrower: Borrower) -> None:
    periods = borrower.schedule(numberOfRepayments=3, repaymentsStartingFromDate="2025-02-20")
    assert [p["dueDate"] for p in periods] == [[2025, 2, 20], [2025, 3, 20], [2025, 4, 20]]
    assert periods[0]["fromDate"] == [2025, 1, 5]


def test_a_preview_writes_nothing_and_is_what_the_loan_gets(borrower: Borrower) -> None:
    application = borrower.application(principal=100000, interestType=DECLINING)
    preview = borrower.fineract.ok(
        borrower.fineract.post("/loans?command=calculateLoanSchedule", application)
    )
    missing = borrower.fineract.get(f"/loans/external-id/{application['externalId']}")
    assert missing.status_code == 404
    borrower.fineract.ok(borrower.fineract.post("/loans", application))
    loan = borrower.fineract.ok(
        borrower.fineract.get(
            f"/loans/external-id/{application['externalId']}", associations="repaymentSchedule"
        )
    )
    planned = [p for p in preview["periods"] if "period" in p]
    assert dues([p for p in loan["repaymentSchedule"]["periods"] if "period" in p]) == dues(planned)


def test_disbursing_later_moves_the_schedule_to_the_actual_date(borrower: Borrower) -> None:
    loan = borrower.approved(expectedDisbursementDate="2025-01-05")
    body = {"dateFormat": "yyyy-MM-dd", "locale": "en", "actualDisbursementDate": "2025-01-09"}
    borrower.fineract.ok(loan.command("disburse", body))
    schedule = loan.look("repaymentSchedule")["repaymentSchedule"]
    assert schedule["periods"][0]["dueDate"] == [2025, 1, 9]
    assert schedule["periods"][1]["dueDate"] == [2025, 2, 9]


def test_a_term_that_is_not_its_repayments_is_refused(borrower: Borrower) -> None:
    body = borrower.application() | {"loanTermFrequency": 11}
    refusal = borrower.fineract.post("/loans", body)
    assert refusal.status_code == 400
    assert code_of(refusal).startswith("validation.msg.loan.loanTermFrequency.")
