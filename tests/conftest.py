"""How hypothesis searches, and what several folders of tests need to load a whole configuration."""

import json
import re

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, settings

# A run of the tests judges a change, so it depends neither on dice nor on how busy the machine is: the same examples each
# time, and none is too slow. Dice are for `make fuzz`, and for `make test ARGS="--hypothesis-profile=dice"`.
settings.register_profile(
    "dice",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
settings.register_profile("same", settings.get_profile("dice"), derandomize=True, database=None)
settings.load_profile("same")


@pytest.fixture(scope="session")
def key_file():
    """The JSON key of a service account."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps({"type": "service_account", "client_email": "relay@shop.example", "private_key": pem})


@pytest.fixture
def env_of(key_file):
    """An environment in which every variable a text refers to is set."""

    def env_of(text):
        names = re.findall(r"\$\{([A-Z][A-Z0-9_]*)\}", text)
        return {name: key_file if name.endswith("SERVICE_ACCOUNT") else "from-the-environment" for name in names}

    return env_of
