"""Characters that a terminal acts upon instead of showing them."""

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
ZERO_WIDTH = "\u00ad\u180e\u200b\u200c\u200d\u2060\u2061\ufeff"
CONTROLS = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *BIDI, *ZERO_WIDTH, "\u2028", "\u2029", "\ud800"]
