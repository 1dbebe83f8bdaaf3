//! `file`: Flume's options for the durable channel. The channel itself is `flumen_channel::file`.

mod encryption;
mod options;

use std::sync::Arc;

use flumen_channel::file::tools::Target;
use flumen_channel::file::{FileChannel, FileLimits};
use flumen_channel::{Channel, Gate};
use flumen_config::{ComponentKind, ComponentSpec, Diagnostics, Options, Settings};

use super::ChannelType;
pub(super) use options::FileOptions;

pub(super) const FILE: ChannelType = ChannelType {
    spec: ComponentSpec {
        check: |settings, diagnostics| check(settings, diagnostics).is_some(),
        transaction_capacity: Some(|settings| {
            check(settings, &mut Diagnostics::default()).map(|l| l.transaction_capacity)
        }),
        ..ComponentSpec::of::<FileOptions>(
            ComponentKind::Channel,
            "file",
            &["org.apache.flume.channel.file.FileChannel"],
        )
    },
    build,
};

/// A channel of the file's kind with these limits, for the options that are left to say how.
pub(super) fn build_with(
    settings: &Settings,
    limits: FileLimits,
    gate: Arc<Gate>,
) -> Result<Arc<dyn Channel>, Diagnostics> {
    Ok(Arc::new(FileChannel::new(limits, encryption::cipher(settings)?, gate)))
}

/// Everything that can be known without touching the world.
pub(super) fn check(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<FileLimits> {
    let options = FileOptions::read(settings, diagnostics)?;
    let limits = options::limits(&options, settings, diagnostics);
    let is_sealed_well = encryption::check(settings, diagnostics).is_some();
    limits.filter(|_| is_sealed_well)
}

pub(super) fn target(settings: &Settings) -> Result<Target, Diagnostics> {
    let limits = Diagnostics::or(|diagnostics| check(settings, diagnostics))?;
    Ok(Target { limits, cipher: encryption::cipher(settings)? })
}

fn build(settings: &Settings, gate: Arc<Gate>) -> Result<Arc<dyn Channel>, Diagnostics> {
    let Target { limits, cipher } = target(settings)?;
    Ok(Arc::new(FileChannel::new(limits, cipher, gate)))
}
