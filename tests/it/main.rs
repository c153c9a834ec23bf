//! What the program promises, part by part.

// A lake: what is written is read back, the same rows give the same bytes, a crash repeats and loses nothing.
mod lake;
