"""The rules behind lights and sentences, in one place."""

from clv.evaluation.verdict import FAR, NEAR

LEVEL_GOOD = 0.10  # absolute error of totals up to which a light is green
LEVEL_BAD = FAR  # of a hold-out, above which the forecast is not to be used for level
GINI_SLACK = NEAR  # contenders this close to the best ranking are compared by level
COVERAGE_GOOD = 0.95  # share of the money that the model uses
COVERAGE_BAD = 0.80
SAME = 0.05  # formula and model this close are called equal
TOP_SHARES = (0.01, 0.05, 0.10, 0.20)  # of customers, for concentration
CURVE_SHARES = (0.0, 0.01, 0.02, 0.05, *(tenth / 10 for tenth in range(1, 11)))  # the same, for a curve
MARKED_SHARES = (0.10, 0.20, 0.50)  # of these, named in the figure
CURVE_MONTHS = 36  # of a new customer's life that its value is shown over
SEASONAL = 1.15  # times an average month, from which the strongest month is called a season
AT_RISK_TOP = 0.20  # of customers by value at the last run, who are at risk
AT_RISK_FALL = 0.30  # when the chance that they buy fell by this share
AT_RISK_DAYS = 90  # of a purchase within these days
MARGIN_GAP = 0.03  # between the margin measured and the one assumed, from which it is said
SATISFIED, DISSATISFIED = 4, 3  # of 5: satisfied from the first on, dissatisfied below the second
PROMOTERS, DETRACTORS = 9, 6  # of 10: promoters from the first on, detractors up to the second
