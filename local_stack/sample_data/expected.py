"""What the sample data must come to, counted by hand from the way it is built, never by the code under test.

The constants are those of `book`, `gb`, `ugro` and `axle`; the arithmetic stands beside each figure, in rupees.

EMIs (flat interest, paise left out), and how many loans have each:

    gb    two-wheelers, 12 each of   4,949  5,499  6,049  6,599  4,399   27,495 x 12 = 3,29,940
          three-wheelers, 12 each of 6,165  7,192  8,220  9,248 10,275   41,100 x 12 = 4,93,200, a half 2,46,600
    ugro  two-wheelers, 11 each of   5,062  5,625  6,187  6,750  4,500   28,124 x 11 = 3,09,364
          three-wheelers, 11 each of 6,354  7,413  8,472  9,531 10,590   42,360 x 11 = 4,65,960, a half 2,32,980
    axle  two-wheelers, 6 each of    5,118  5,687  6,256  6,825  4,550   28,436 x 6  = 1,70,616
          three-wheelers, 6 each of  6,447  7,522  8,597  9,671 10,746   42,983 x 6  = 2,57,898
          all of January: 4,28,514
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class ExpectedFile:
    """One line of the processing log. Rupees leave out the `unreadable` amounts.

    `not_loaded` are the good rows of a halted file.
    """

    lender: str
    name: str
    state: str
    accepted: int = 0
    filtered: int = 0
    duplicate: int = 0
    rejected: int = 0
    not_loaded: int = 0
    unreadable: int = 0
    rupees_accepted: Decimal = Decimal(0)
    rupees_filtered: Decimal = Decimal(0)
    rupees_duplicate: Decimal = Decimal(0)
    rupees_rejected: Decimal = Decimal(0)

    @property
    def read(self) -> int:
        """All payment rows of the file."""
        return self.accepted + self.filtered + self.duplicate + self.rejected + self.not_loaded


# AXL300320 lent 80,000 at 18.25 per cent flat for 24 months: principal 3,333.33 and interest 29,200 / 24 = 1,216.67
LINK_RUPEES = Decimal("4550.00")

FILES = (
    ExpectedFile(
        "gb", "NACH_RESPONSE_GB_20260120.csv", "loaded",
        # 120 debits on the 5th, 60 on the 20th, a second one of GB100190, a historic one, one of an unknown loan,
        # less 8 + 4 returned
        accepted=120 + 60 + 1 + 1 + 1 - 12,
        filtered=8 + 4,
        duplicate=4,
        # 2 bad dates, 2 bad amounts, a zero, 2 bad UMRNs, a status, a reused reference, a cut off line
        rejected=2 + 2 + 1 + 2 + 1 + 1 + 1,
        unreadable=2 + 1,  # the bad amounts and the cut off line
        # 5th: 3,29,940 + 2,46,600 - 39,022 returned = 5,37,518; 20th: 2,46,600 - 16,440 returned = 2,30,160;
        # GB100190 4,399; historic 4,949; unknown loan 5,499
        rupees_accepted=Decimal("5_37_518") + Decimal("2_30_160") + Decimal(4_399 + 4_949 + 5_499),
        # 5th: 4,110 + 3,596 + 6,599 + 6,049 + 5,499 + 5,137.50 + 3,082.50 + 4,949; 20th: 3,596 + 4,624 + 3,596 + 4,624
        rupees_filtered=Decimal("39_022") + Decimal("16_440"),
        rupees_duplicate=Decimal("3082.50") + 3 * Decimal("4399"),
        # five bad lines of 4,399 whose amount can be read, and the reused reference's 999
        rupees_rejected=5 * Decimal("4399") + Decimal("999"),
    ),
    ExpectedFile("gb", "NACH_RESPONSE_GB_20260121_empty.csv", "refused"),
    ExpectedFile("gb", "NACH_RESPONSE_GB_20260122_no_debits.csv", "loaded_empty"),
    ExpectedFile("gb", "NACH_RESPONSE_GB_20260123_no_amounts.csv", "refused"),
    ExpectedFile(
        "gb", "NACH_RESPONSE_GB_20260128.csv", "loaded",
        accepted=12 - 2,  # the 12 returned debits again, 2 returned once more
        filtered=2,
        duplicate=3,  # lines of the first file
        rupees_accepted=Decimal("55_462") - Decimal("7706.50"),  # 39,022 + 16,440 less those returned once more
        rupees_filtered=Decimal("3082.50") + Decimal("4624"),
        rupees_duplicate=Decimal("3596") + 2 * Decimal("4399"),
    ),
    ExpectedFile("gb", "NACH_RESPONSE_GB_20260120_resent.csv", "same_content"),
    ExpectedFile(
        "ugro", "REPAYMENT_STATEMENT_UGRO_20260121.xlsx", "loaded",
        # 110 repayments on the 5th, 55 on the 20th, a second one of UGR200133, a prepayment, a historic one,
        # less 6 + 3 bounced; and a reversal
        accepted=110 + 55 + 1 + 1 + 1 - 9 + 1,
        filtered=6 + 3 + 2,  # bounced, in process
        duplicate=3,
        rejected=2 + 2 + 1 + 1 + 2,  # bad dates, bad amounts, a negative one, no UMRN, bad statuses
        unreadable=2,
        # 5th: 3,09,364 + 2,32,980 - 30,111.50 bounced; 20th: 2,32,980 - 11,649 bounced; UGR200133 5,625;
        # prepaid 1,23,456; historic 3,177; reversed 5,625
        rupees_accepted=Decimal("5_12_232.50") + Decimal("2_21_331") + Decimal(5_625 + 1_23_456 + 3_177 + 5_625),
        # 5th: 5,625 + 3,706.50 + 6,187 + 5,295 + 5,062 + 4,236; 20th: 3,706.50 + 3,177 + 4,765.50;
        # in process 5,062 + 3,177
        rupees_filtered=Decimal("30_111.50") + Decimal("11_649") + Decimal(5_062 + 3_177),
        rupees_duplicate=Decimal("3706.50") + Decimal("6750") + Decimal("6187"),
        rupees_rejected=5 * Decimal("5625") - Decimal("4399"),  # five of 5,625, and -4,399
    ),
    ExpectedFile("ugro", "REPAYMENT_STATEMENT_UGRO_20260122_damaged.xlsx", "refused"),
    ExpectedFile(
        "ugro", "REPAYMENT_STATEMENT_UGRO_20260129.xlsx", "loaded",
        accepted=9 - 2 + 2,  # the 9 bounced again, 2 bounced once more, 2 under a new receipt
        filtered=2,
        duplicate=2,
        # 41,760.50 - 7,413 bounced once more, and 6,750 + 4,500 under a new receipt
        rupees_accepted=Decimal("41_760.50") - Decimal("7413") + Decimal(6_750 + 4_500),
        rupees_filtered=Decimal("3177") + Decimal("4236"),
        rupees_duplicate=Decimal("6187") + Decimal("4236"),
    ),
    ExpectedFile(
        "axle", "settlement_report_2026-01.csv", "loaded",
        # 4 weeks of 60 loans less 4 not yet settled, 2 part payments, a historic one, one of an unknown loan, by link 1
        accepted=4 * 60 - 4 + 2 + 1 + 1 + 1,
        filtered=1 + 1 + 1,  # a mandate's registration of 0.00, a refund, an adjustment
        duplicate=3,
        rejected=7,  # date, amount, receipt, entity, currency, no id, cut off
        unreadable=1,
        # not yet settled: 1,421.75 + 1,706.25 + 1,564 + 1,279.50 = 5,971.50
        rupees_accepted=Decimal("4_28_514") - Decimal("5971.50") + Decimal(2 * 500 + 750 + 1_000) + LINK_RUPEES,
        rupees_filtered=Decimal("1611.75") + Decimal("1279.50"),
        rupees_duplicate=Decimal("1611.75") + Decimal("2149.25") + Decimal("1137.50"),
        rupees_rejected=6 * Decimal("1611.75"),  # also the cut off line still has its amount
    ),
    ExpectedFile(
        "axle", "settlement_report_2025-12.csv", "halted",
        rejected=4,  # month first: 4 of 5 dates are none
        not_loaded=1,
        # the quarter EMIs of the first five loans but the first: 5,118 + 7,522 + 5,687 + 8,597, by four
        rupees_rejected=Decimal("26_924") / 4,
    ),
)  # fmt: skip

MANDATES = {
    "gb": 121 - 3 + 1 + 2,  # 120 loans and one unknown to Fineract, 3 left out, one doubled, two replaced
    "ugro": 110 - 2,
}

WEBHOOKS = {
    # 168 debits of January collected, less 3 not in the UMRN master, 1 on the old mandate, 5 that Razorpay did not
    # report = 159; 1 second debit, 10 presented again; 4 failed; 3 placed by Razorpay alone: one event each
    "gb": (159 + 1 + 10 + 4 + 3, 159 + 1 + 10 + 4 + 3),
    # a week: 20 loans x 1 event, 20 x 2, 20 x 3 = 120 events; less 1 + 3 of the payments whose webhook was lost and
    # 1 of the one that failed first; 3 failures; 2 part payments x 3; historic 1; unknown loan 1; registration 3;
    # walk-in 2; a refund; the payment by link 3
    "axle": (4 * 120 - 4 - 1 + 3 + 6 + 1 + 1 + 3 + 2 + 1 + 3, 4 * 60 - 2 + 3 + 2 + 1 + 1 + 1 + 1 + 1),
}
"""Lender -> stored events, payments. Further copies of an event are not stored."""

FATES = {
    # accepted 171 + 10, less 3 not in the UMRN master, 1 on the old mandate, 1 unknown loan = 176 payments
    ("gb", "posted"): 176 - 1 - 2,
    ("gb", "held: historic"): 1,
    ("gb", "held: possible_duplicate"): 2,  # GB100190 on the 5th, and both halves of GB100163 on the 27th
    ("gb", "held: evidence_only"): 3,  # known from Razorpay alone
    # accepted 159 + 9, less 2 not in the UMRN master and 2 that are known under another receipt = 164 payments
    ("ugro", "posted"): 164 - 1 - 2,
    ("ugro", "held: historic"): 1,
    ("ugro", "held: possible_duplicate"): 2,  # UGR200133 on the 5th, and both halves of UGR200124 on the 27th
    # 240 weekly payments less 2 without webhook and the refunded one, the first part payment, and the one by link
    ("axle", "posted"): 240 - 2 - 1 + 1 + 1,
    ("axle", "held: not_collected"): 1,  # refunded
    ("axle", "held: historic"): 1,
    ("axle", "held: possible_duplicate"): 1,  # the second part payment
    ("axle", "held: evidence_only"): 2,
}
"""(Lender, fate) -> payments."""

RUPEES_POSTED = {
    # accepted 7,82,525 + 47,755.50, less not in the UMRN master 4,399 + 6,599 + 6,049, old mandate 4,110,
    # unknown loan 5,499, historic 4,949, held 4,399 + 3,596
    "gb": Decimal("7_82_525")
    + Decimal("47_755.50")
    - Decimal(17_047 + 4_110 + 5_499 + 4_949 + 4_399 + 3_596),
    # accepted 8,65,821.50 + 45,597.50, less not in the UMRN master 6,750 + 4,500, known before 6,750 + 4,500,
    # historic 3,177, held 5,625 + 3,706.50
    "ugro": Decimal("8_65_821.50")
    + Decimal("45_597.50")
    - Decimal(11_250 + 11_250 + 3_177)
    - Decimal("9331.50"),
    # all weekly payments, less without webhook 2,417.75 + 1,880.50 and refunded 2,149.25, one part payment, one by link
    "axle": Decimal("4_28_514") - Decimal("4298.25") - Decimal("2149.25") + Decimal(500) + LINK_RUPEES,
}

RECONCILED = {
    # all payments but the historic one and those that Razorpay did not report
    ("gb", "matched"): 176 - 1 - 5,
    ("gb", "missing_in_gateway"): 5,
    ("gb", "missing_in_file"): 3,
    ("gb", "not_applicable"): 1,  # historic
    ("ugro", "not_applicable"): 164,
    # weekly but not yet settled and without webhook; both part payments; the one by link
    ("axle", "matched"): 240 - 4 - 2 + 2 + 1,
    ("axle", "missing_in_file"): 4,
    ("axle", "missing_in_gateway"): 2,
    ("axle", "not_applicable"): 1,  # historic
}
"""(Lender, reconciliation status) -> payments."""

EXCEPTIONS = {
    ("gb", "umrn_unknown"): 3 + 1,
    ("gb", "unknown_loan"): 1,
    ("gb", "possible_duplicate"): 2,
    ("gb", "missing_in_gateway"): 5,
    ("gb", "missing_in_file"): 3,
    ("ugro", "umrn_unknown"): 2,
    ("ugro", "possible_duplicate"): 2,
    # of the 20th; the loan's payment was on the 5th, under another reference
    ("ugro", "reversal_unmatched"): 1,
    ("axle", "unknown_loan"): 1 + 1,  # seen by webhook and in the report
    ("axle", "unparsed_reference"): 1,
    ("axle", "possible_duplicate"): 1,
    ("axle", "missing_in_gateway"): 2,
    ("axle", "missing_in_file"): 4,
}
"""(Lender, kind) -> open exceptions."""

LINKS = {("axle", "paid: posted"): 1}
"""(Lender, state of the link and its money) -> payment links."""

POSTED = sum(count for (_, fate), count in FATES.items() if fate == "posted")
ROWS_READ = sum(file.read for file in FILES)
