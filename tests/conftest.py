"""What holds for every test: how Hypothesis looks for examples."""

from hypothesis import settings

# No deadline: two cores are shared by whatever runs, and no test of ours asserts on time.
settings.register_profile("segue", deadline=None, print_blob=True)
# Chosen by `make test-long` for the property tests.
settings.register_profile("long", parent=settings.get_profile("segue"), max_examples=2000)
settings.load_profile("segue")
