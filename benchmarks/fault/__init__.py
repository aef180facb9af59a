"""The faults that users meet in a night, caused for real, and what was lost by them: nothing, as it must be."""
