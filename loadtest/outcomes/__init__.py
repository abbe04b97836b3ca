"""Do reports of outcomes make live answers later? The same mesh, with and without a flood of reports in turn."""
