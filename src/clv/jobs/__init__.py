"""From a config file to a finished, immutable run."""
