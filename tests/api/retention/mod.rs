//! What is dead goes, what lives stays, whoever asks (`src/retention`, decision record 0021).

mod edges;
mod many;
mod rows;
mod standing;
