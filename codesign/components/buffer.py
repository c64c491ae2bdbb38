"""Buffer: water in the FWS supply, between the chillers and the CDUs; it bridges the restart of a chiller.

symbol   name            unit   meaning
V        volume_m3       m3     mixed volume, a size, beside the piping's
T        fws_supply_c    degC   water to the CDUs                                                      (state)

rho c V dT = C (T_in - T). Fully mixed: conservative beside a stratified tank, whose front arrives later.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from codesign.components.base import fws_kw_per_k, point, water_kj_per_k
from codesign.smooth import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """A mixed volume of facility water."""

    RANGES: ClassVar = {"volume_m3": (0.0, "volume_max_m3")}

    volume_max_m3: float
    cost_usd_per_m3: float
    life_years: float
    om_pu: float

    # physics: floats, arrays, CasADi symbols
    def heat_kj_per_k(self, volume_m3: Value, pipe_l: float = 0.0) -> Value:
        """Heat capacity of the volume and of the piping that mixes with it, kJ/K."""
        return water_kj_per_k(1000 * volume_m3 + pipe_l)

    def capex_usd(self, volume_m3: Value) -> Value:
        """Investment for the volume."""
        return self.cost_usd_per_m3 * volume_m3

    def evaluate(self, at: Mapping[str, float]) -> dict[str, float]:
        """A volume at a point: volume_m3, flow_kg_per_s, heat_kw (loop heat that nothing rejects)."""
        given = point(at, volume_m3=1.0, flow_kg_per_s=10.0, heat_kw=0.0)
        held = self.heat_kj_per_k(given["volume_m3"])
        rate = fws_kw_per_k(given["flow_kg_per_s"])
        return {
            "heat_kj_per_k": held,
            "turnover_s": held / rate if rate else math.inf,
            "rise_k_per_s": given["heat_kw"] / held if held else math.nan,
        }

    # plan: a volume from the site's list, at least what the chillers' loop asks for (Chiller.loop_min_l)

    # plant
    def rate(self, out_c: Value, in_c: Value, flow_kg_per_s: Value, kj_per_k: Value) -> Value:
        """Rate of the supply's temperature, K/s."""
        return fws_kw_per_k(flow_kg_per_s) * (in_c - out_c) / kj_per_k
