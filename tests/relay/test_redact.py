from proxy.relay.redact import redact


def test_every_form_a_secret_takes_is_masked():
    secret = 'a/b+c "d'
    text = f"{secret} a%2Fb%2Bc%20%22d a/b%2Bc%20%22d a%2Fb%2Bc+%22d " + r"a/b+c \"d"
    assert redact(text, (secret,)) == "*** *** *** *** ***"


def test_a_secret_inside_a_longer_one_leaves_no_rest():
    assert redact("tok-long tok", ("tok-long", "tok")) == "*** ***"


def test_without_secrets_text_stays():
    assert redact("plain", ()) == "plain"
