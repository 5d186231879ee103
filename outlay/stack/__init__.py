"""The embedded stack: real servers from package registries, run and watched without a container engine."""
