"""The default configuration, as data; a package so that importlib.resources finds it however Segue was installed."""
