"""What we believe about customers: frozen parameters, and formulas that broadcast them.

The models, one line each; `clv.NAME` finds them here.
"""

from clv.models.beta_discrete_weibull import BdW as BdW
from clv.models.bg_bb import BGBB as BGBB
from clv.models.bg_cnbd import BGCNBD as BGCNBD
from clv.models.bg_nbd import BGNBD as BGNBD
from clv.models.gamma_gamma import GammaGamma as GammaGamma
from clv.models.ggompertz_nbd import GGompertzNBD as GGompertzNBD
from clv.models.mbg_cnbd import MBGCNBD as MBGCNBD
from clv.models.mbg_nbd import MBGNBD as MBGNBD
from clv.models.nbd import NBD as NBD
from clv.models.pareto_nbd import ParetoNBD as ParetoNBD
from clv.models.shifted_beta_geometric import SBG as SBG
