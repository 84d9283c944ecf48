"""What version 8 did to events: one of each (artifact, execution, type)."""

UNIQUE_SINCE = 8
UNIQUE = (
    "DELETE FROM `Event` WHERE `id` NOT IN (SELECT `id` FROM (SELECT MAX(`id`) AS `id` FROM `Event` "
    "GROUP BY `artifact_id`, `execution_id`, `type`) AS `last`)",
    "DELETE FROM `EventPath` WHERE `event_id` NOT IN (SELECT `id` FROM `Event`)",
)
"""The highest id of equal events stays; steps of paths that lead nowhere go. Run twice, it changes nothing more."""
