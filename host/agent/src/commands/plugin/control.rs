//! The control socket of a process that runs plugins: a Unix socket in its state folder.
//!
//! ```text
//! client: reload PATH\n   or   reload\n
//! server: PATH: swapped to DIGEST\n … PATH: the same component\n … PATH: refused: why\n   then the end
//! ```
//!
//! Not over HTTP: the monitoring port is read-only, is open to scrapers, and knows nobody. The socket lies in a folder
//! of mode 0700, is of mode 0600, and a client of another user (root excepted) is refused all the same, by the
//! credentials that the kernel vouches for.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flumen_plugin::plugin::Reloaded;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// A request is short and comes at once.
const REQUEST_BYTES_MAX: u64 = 4096;
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// The folder below the state folder.
const FOLDER: &str = "control";

/// The open socket; it is removed when this is dropped.
pub struct Control {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Control {
    /// Opens the socket of this process, if it has plugins. Without it plugins run all the same: what is wrong is
    /// logged.
    #[must_use]
    pub fn open(state_dir: &Path) -> Option<Self> {
        flumen_plugin::host::running()?;
        let path = folder(state_dir).join(format!("{}.sock", std::process::id()));
        match listen(&path) {
            Ok(listener) => Some(Self { task: tokio::spawn(serve(listener)), path }),
            Err(error) => {
                tracing::warn!(socket = %path.display(), %error, "`flumen plugin reload` will not reach this process");
                None
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        // It may have been removed by somebody else; a stale one is passed over by clients.
        let _gone = std::fs::remove_file(&self.path);
    }
}

/// Where the sockets of a state folder are.
pub(super) fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join(FOLDER)
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700))?;
    // A process of this number that was killed has left it behind.
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
    Ok(listener)
}

async fn serve(listener: UnixListener) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(async move {
                if let Err(error) = answer(client).await {
                    tracing::debug!(%error, "a client of the control socket went away");
                }
            })),
            Err(error) => {
                tracing::warn!(%error, "the control socket cannot accept");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn answer(client: UnixStream) -> io::Result<()> {
    let user = client.peer_cred()?.uid();
    let own = rustix::process::geteuid().as_raw();
    let (read, mut write) = client.into_split();
    if user != own && user != 0 {
        tracing::warn!(user, "a client of another user was refused at the control socket");
        return write.write_all(b"refused: this process belongs to another user\n").await;
    }
    let mut request = String::new();
    let mut read = BufReader::new(read.take(REQUEST_BYTES_MAX));
    let in_time = tokio::time::timeout(REQUEST_WITHIN, read.read_line(&mut request)).await;
    in_time.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let text = match request.trim_end().split_once(' ').unwrap_or((request.trim_end(), "")) {
        ("reload", path) => reload(Some(path).filter(|path| !path.is_empty())).await,
        (other, _) => format!("refused: `{other}` is no request; `reload` and `reload PATH` are\n"),
    };
    write.write_all(text.as_bytes()).await
}

/// Reloads one plugin or all; a line for each.
async fn reload(path: Option<&str>) -> String {
    let plugins = flumen_plugin::host::running().map(|host| host.plugins()).unwrap_or_default();
    let mut text = String::new();
    for plugin in plugins.into_iter().filter(|plugin| path.is_none_or(|path| plugin.spec().path == path)) {
        let path = plugin.spec().path.clone();
        let said = match plugin.reload().await {
            Ok(Reloaded::Same) => "the same component".to_owned(),
            Ok(Reloaded::Swapped { digest }) => format!("swapped to {digest}"),
            Err(error) => format!("refused, the one in use goes on: {error}"),
        };
        text.push_str(&format!("{path}: {}\n", said.replace('\n', " ")));
    }
    text
}
