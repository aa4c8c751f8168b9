"""Which model each agent uses: chosen by an admin at run time, kept in a store, resolved without waiting for it."""
