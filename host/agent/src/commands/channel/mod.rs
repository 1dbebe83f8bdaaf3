//! `flumen channel …`: what is done to a channel while no agent runs on it.

pub mod import_flume;
