//! TLS 1.2 and 1.3 by rustls, with a certificate that can be renewed while it serves.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};

/// The operator's: TLS can't be had with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No file, or it can't be read.
    #[error("{} can't be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Everybody may read the key.
    #[error("{} may be read by everybody: run `chmod 600` on it", path.display())]
    Exposed {
        /// The key.
        path: PathBuf,
    },
    /// No PEM of a certificate or key.
    #[error("{} holds no {what} in PEM", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The two do not belong together, or the key is of no use.
    #[error("certificate and key can't be used")]
    Unusable(#[from] rustls::Error),
}

/// What tells one writing of a file from the next.
type Stamp = [(SystemTime, u64); 2];

/// The certificate of this process, as its files had it when they last made sense.
#[derive(Debug)]
pub struct Certificates {
    cert_file: PathBuf,
    key_file: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
    stamp: Mutex<Stamp>,
}

impl Certificates {
    /// Reads both files.
    pub fn load(cert_file: &Path, key_file: &Path) -> Result<Self, TlsError> {
        let stamp = stamp(cert_file, key_file)?;
        Ok(Self {
            cert_file: cert_file.to_owned(),
            key_file: key_file.to_owned(),
            current: RwLock::new(Arc::new(read(cert_file, key_file)?)),
            stamp: Mutex::new(stamp),
        })
    }

    /// Takes the files again if they were written since; a pair that is no good changes nothing.
    /// True: there is another certificate now.
    pub fn renew(&self) -> Result<bool, TlsError> {
        let now = stamp(&self.cert_file, &self.key_file)?;
        let mut seen = self.stamp.lock().expect("no panic happens under this lock");
        if *seen == now {
            return Ok(false);
        }
        let fresh = Arc::new(read(&self.cert_file, &self.key_file)?);
        *seen = now;
        *self
            .current
            .write()
            .expect("no panic happens under this lock") = fresh;
        Ok(true)
    }

    /// Shakes hands with whatever certificate there is at the time. No early data, so nothing can
    /// be replayed (HTTP-11).
    pub(super) fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read();
        Some(Arc::clone(
            &current.expect("no panic happens under this lock"),
        ))
    }
}

fn metadata(path: &Path) -> Result<Metadata, TlsError> {
    std::fs::metadata(path).map_err(|source| TlsError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

fn stamp(cert_file: &Path, key_file: &Path) -> Result<Stamp, TlsError> {
    let of = |path| {
        let found = metadata(path)?;
        let modified = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Ok::<_, TlsError>((modified, found.len()))
    };
    Ok([of(cert_file)?, of(key_file)?])
}

fn read(cert_file: &Path, key_file: &Path) -> Result<CertifiedKey, TlsError> {
    if metadata(key_file)?.permissions().mode() & 0o007 != 0 {
        let path = key_file.to_owned();
        return Err(TlsError::Exposed { path });
    }
    let malformed = |path: &Path, what| TlsError::Malformed {
        path: path.to_owned(),
        what,
    };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(cert_file).and_then(Iterator::collect);
    let chain = chain.map_err(|_| malformed(cert_file, "certificate"))?;
    let key = PrivateKeyDer::from_pem_file(key_file);
    let key = key.map_err(|_| malformed(key_file, "private key"))?;
    if chain.is_empty() {
        return Err(malformed(cert_file, "certificate"));
    }
    Ok(CertifiedKey::from_der(
        chain,
        key,
        &ring::default_provider(),
    )?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::OpenOptionsExt as _;

    use super::*;

    fn write(path: &Path, text: &str) {
        let _ = std::fs::remove_file(path);
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600);
        std::io::Write::write_all(&mut file.open(path).unwrap(), text.as_bytes()).unwrap();
    }

    fn leaf(certificates: &Certificates) -> Vec<u8> {
        certificates.current.read().unwrap().cert[0].to_vec()
    }

    /// A renewed pair is taken; half of one, or nonsense, leaves the old one in place.
    #[test]
    fn a_renewed_certificate_is_taken_when_its_key_is_there_too() {
        let folder = std::env::temp_dir().join(format!("lanyard-tls-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        let made = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (first, second) = (made(), made());
        write(&cert, &first.cert.pem());
        write(&key, &first.signing_key.serialize_pem());
        let certificates = Certificates::load(&cert, &key).unwrap();
        assert!(!certificates.renew().unwrap());
        let before = leaf(&certificates);
        write(&cert, &format!("{}\n", second.cert.pem()));
        assert!(matches!(certificates.renew(), Err(TlsError::Unusable(_))));
        assert_eq!(leaf(&certificates), before);
        write(&key, &format!("{}\n", second.signing_key.serialize_pem()));
        assert!(certificates.renew().unwrap());
        assert_ne!(leaf(&certificates), before);
        write(&cert, "nonsense");
        let nonsense = certificates.renew();
        assert!(matches!(nonsense, Err(TlsError::Malformed { .. })));
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        write(&cert, &second.cert.pem());
        assert!(matches!(
            certificates.renew(),
            Err(TlsError::Exposed { .. })
        ));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
