"""Selectors: which messages a consumer wants, said in a condition over their headers.

The language is that of JMS (Jakarta Messaging 3.1, section 3.8.1), a part of SQL-92: `region = 'eu' AND amount > 100`.
docs/reference/selectors.md describes it for users. Here is what Segue decides where the specification leaves something
open, or knows types that STOMP has not:

- Every header is a string. Beside a number (a literal, or arithmetic) it is read as a number, beside TRUE, FALSE or a
  condition as a boolean; everywhere else it stays a string. Two headers are put in order (`<`) as numbers, and are
  equal as strings. A header that can't be read so is a value of another type: every comparison with it is false, `<>`
  too, so that its NOT is true. In arithmetic it is unknown.
- A missing header is NULL, and everything but IS NULL is unknown of it.
- Division by zero, and a result without a finite value, are unknown. Exact numbers that leave 64 bits become
  approximate.
- A header alone is a condition: `paid` is `paid = TRUE`.
- JMSPriority and the like stand for STOMP's headers (`fields`). Other names are those of headers, letter by letter;
  with hyphens and the like they are written in double quotes, or `hyphenated_props:` is put in front of the selector.

Everything here is pure: no I/O, no clock, no state but a cache of what was compiled. Only `parser` and `builder` know
the parser library, and they are loaded with the first selector.
"""

from __future__ import annotations

from segue.broker.selector.errors import SelectorError
from segue.broker.selector.properties import Properties
from segue.broker.selector.selector import Selector, compile_selector, header_match, load_parser

__all__ = ["Properties", "Selector", "SelectorError", "compile_selector", "header_match", "load_parser"]
