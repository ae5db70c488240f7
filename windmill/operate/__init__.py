"""What an operator does, as functions: they take values, return values, report progress and raise WindmillError.

Functions called `render_*` turn an outcome into text or JSON; nothing here parses arguments or prints."""
