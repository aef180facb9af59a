"""What all tasks share of reading data: files, tables, splits, caches, batches, mistakes in labels."""
