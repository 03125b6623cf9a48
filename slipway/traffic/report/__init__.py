"""Reports of a load run: an HTML page, JUnit, a summary for CI, the history (`html.write_reports`)."""
