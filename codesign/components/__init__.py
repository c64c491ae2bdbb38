"""One file per piece of equipment: data, physics, planning block, rate of change, limits, in that order."""
