"""A job that stops at any moment: the law, what breaks it, and what storage and dispatch must be for it.

    course      the planned course, the falls of distinct copies, the storage's linear law
    recovery    recoveries step by step, all slots at once: quick, a proof where one holds
    programme   the best recovery as a linear programme, and the cut of its dual
    worst       the worst slot of every class

The law: for every distinct copy and every slot of the macro clock, from the state of the planned dispatch at
that slot (stored energy, last net power, filtered values) there is a recovery within power and energy that
keeps the window rule.  The stop is known within the same step.
"""
