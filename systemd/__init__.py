"""The systemd unit, as data; a package so that importlib.resources finds it however Segue was installed."""
