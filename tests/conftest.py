"""How Hypothesis looks for counterexamples, in all tests. How long an example takes on a busy machine is no property of
ours, so neither a deadline nor slow data fails a test.
"""

from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
