"""Does a shadow of all requests make live answers later? The same mesh, with and without its shadow in turn."""
