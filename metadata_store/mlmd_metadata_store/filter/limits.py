"""How large a filter may be. Each bound is one that SQLite, MySQL or this process would meet, and names itself."""

LONGEST_TEXT = 1_500_000
"""Characters of a filter."""

MOST_PARENTHESES = 10_000
"""Parentheses open at one time; each holds some memory while the parser waits for its end."""

MOST_TERMS = 25_000
"""Operators, columns and literals; SQLite takes 32,766 parameters a statement. Integers and strings in the lists of IN
do not count: a long list travels as one parameter."""

DEEPEST = 60
"""Levels of nesting. SQLite's parser has a stack of 100, most of it for the filter; a level is one entry of it."""

MOST_TABLES = 48
"""Tables that the columns of a filter come from; MySQL joins 61 and SQLite 64."""

MOST_ARGUMENTS = 100
"""Arguments of one function; SQLite takes 127."""

LONGEST_PATTERN_BYTES = 50_000
"""UTF-8 bytes of a LIKE pattern; SQLite's bound."""
