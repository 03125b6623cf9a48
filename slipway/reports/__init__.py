"""Reports: what checks and load tests leave in a folder, for people and for programs."""
