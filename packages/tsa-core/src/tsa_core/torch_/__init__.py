"""Everything that the library knows of torch's internals and versions, with the sources."""
