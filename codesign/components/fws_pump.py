"""FWS pump group: the hall's water loop from CDUs over dry coolers and chillers back to the buffer.

symbol   name              unit   meaning
m        flow_kg_per_s     kg/s   flow of the whole group;  m_0 flow_reference_kg_per_s, the piping's design
                                                            flow
P        pump_kw           kW     (head_fixed + head_friction (m/m_0)**2) m/(rho efficiency); all of it heats
                                  the
                                  water, at the node that leaves the CDUs

Pump law: affinity laws on a system curve with a fixed part (a held pressure difference). The friction belongs
to the piping, not to the pumps bought: the reference flow is the hall's, the rated flow is a size.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from codesign.components.base import WATER_KG_PER_L, point
from codesign.smooth import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class FwsPump:
    """The pumps and the piping of the facility water loop."""

    RANGES: ClassVar = {"flow_kg_per_s": (0.0, "flow_max_kg_per_s")}

    flow_reference_kg_per_s: float
    flow_max_pu: float
    head_fixed_kpa: float
    head_friction_kpa: float
    efficiency: float
    flow_lag_s: float
    pipe_l: float
    cost_usd_per_kg_per_s: float
    life_years: float
    om_pu: float

    @property
    def flow_max_kg_per_s(self) -> float:
        """Largest flow at which the system curve is taken to hold, kg/s."""
        return self.flow_max_pu * self.flow_reference_kg_per_s

    # physics: floats, arrays, CasADi symbols
    def pump_kw(self, flow_kg_per_s: Value) -> Value:
        """Electric power of the group, kW; all of it becomes heat of the FWS."""
        friction = self.head_friction_kpa * (flow_kg_per_s / self.flow_reference_kg_per_s) ** 2
        return (self.head_fixed_kpa + friction) * flow_kg_per_s / (1000 * WATER_KG_PER_L) / self.efficiency

    def capex_usd(self, rated_kg_per_s: Value) -> Value:
        """Investment for a group of that rated flow."""
        return self.cost_usd_per_kg_per_s * rated_kg_per_s

    def evaluate(self, at: Mapping[str, float]) -> dict[str, float]:
        """The group at a point: flow_kg_per_s."""
        return {"pump_kw": self.pump_kw(**point(at, flow_kg_per_s=self.flow_reference_kg_per_s))}

    # plan: power is an exact table over the number of CDUs; the rating carries the flow of the worst outage

    # plant
    def rate(self, flow_kg_per_s: Value, command_kg_per_s: Value) -> Value:
        """Rate of the flow behind its command, kg/s per s."""
        return (command_kg_per_s - flow_kg_per_s) / self.flow_lag_s

    # limits
    def limits(self, flow_kg_per_s: Value, rated_kg_per_s: Value) -> dict[str, Value]:
        """Excess over each limit (<= 0 holds), kg/s."""
        return {"fws_flow": flow_kg_per_s - rated_kg_per_s}
