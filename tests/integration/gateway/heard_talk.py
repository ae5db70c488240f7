"""A talk that was heard."""

from tests.integration.talk_scene import transcript

HEARD = transcript(
    [
        ("SPEAKER_00", 0.0, "wah"),
        ("SPEAKER_00", 0.5, "lao"),
        ("SPEAKER_00", 1.0, "lah"),
        ("SPEAKER_01", 5.0, "pie"),
        ("SPEAKER_01", 5.5, "say"),
        ("SPEAKER_01", 6.0, "lah"),
        ("SPEAKER_02", 9.0, "lah"),
        ("SPEAKER_02", 9.5, "sia"),
    ]
)
