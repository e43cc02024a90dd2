"""Everything that the library knows of the internals and versions of torch, with the sources."""
