"""The rules behind lights and sentences, in one place."""

LEVEL_GOOD = 0.10  # absolute total error of a hold-out up to which its light is green
LEVEL_BAD = 0.25  # above which the forecast is not to be used for level
GINI_SLACK = 0.02  # contenders this close to the best ranking are compared by level
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
