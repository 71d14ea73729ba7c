"""A configuration file that a test changes under the exporter that reads it."""

from iometer_exporter.config.file import Config
from iometer_exporter.errors import ConfigError


class ConfigFile:
    """What an `Exporter` loads its configuration from; an error in place of one is a bad file."""

    def __init__(self, config: Config) -> None:
        self.config: Config | ConfigError = config

    def __call__(self) -> Config:
        if isinstance(self.config, ConfigError):
            raise self.config
        return self.config
