"""What must hold for storage under any sequence of operations, faults and restarts."""
