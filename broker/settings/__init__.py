"""The settings: one frozen dataclass a section, read from TOML and the environment."""
