"""From the log to the platforms: one reader per destination, each at its own pace.

`plan` (pure) says what would be sent, `verdicts` (pure) what a platform's answer means for each event, `backoff` (pure)
when to try again; `sender` is the only file here that opens a connection, `reader` the only one that commits. `pace`
keeps to the platform's rate and `tokens` to its access tokens.
"""
