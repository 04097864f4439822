//! Where the JobMaster is, as a person writes it.

use hyper::Uri;

use super::ClientError;

/// The port where nobody names one.
const DEFAULT_PORT: u16 = 8081;

/// An address that can be asked: `http://` and what [`Address::authority`] says, with what stands before all paths
/// behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    authority: String,
    prefix: String,
}

impl Address {
    /// Reads `http://host:port`, `http://host:port/prefix`, `host:port` or `host`.
    pub(super) fn parse(text: &str) -> Result<Self, ClientError> {
        let wrong = |why: &str| ClientError::BadAddress { address: text.to_owned(), why: why.to_owned() };
        let is_bare = !text.contains("://");
        let whole = if is_bare { format!("http://{text}") } else { text.to_owned() };
        let uri: Uri = whole.parse().map_err(|error: hyper::http::uri::InvalidUri| wrong(&error.to_string()))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("only http is spoken"));
        }
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it has a user name, which nobody asks for"));
        }
        let has_port = authority.as_str().len() > authority.host().len();
        if has_port && authority.port_u16().is_none() {
            return Err(wrong("its port is not a number up to 65535"));
        }
        let authority =
            if is_bare && !has_port { format!("{authority}:{DEFAULT_PORT}") } else { authority.to_string() };
        Ok(Self { authority, prefix: uri.path().trim_end_matches('/').to_owned() })
    }

    /// The host and the port.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// The URI of a path.
    pub(super) fn uri(&self, path: &str) -> Result<Uri, ClientError> {
        let Self { authority, prefix } = self;
        format!("http://{authority}{prefix}{path}").parse().map_err(|error: hyper::http::uri::InvalidUri| {
            ClientError::BadAddress { address: format!("{authority}{prefix}"), why: error.to_string() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(address: &str) -> String {
        Address::parse(address).unwrap().uri("/jobs?get=a").unwrap().to_string()
    }

    #[test]
    fn addresses_are_read_as_they_are_written() {
        assert_eq!(uri("127.0.0.1:8081"), "http://127.0.0.1:8081/jobs?get=a");
        assert_eq!(uri("http://jobmaster:9000"), "http://jobmaster:9000/jobs?get=a");
        assert_eq!(uri("http://jobmaster:9000/"), "http://jobmaster:9000/jobs?get=a");
        assert_eq!(uri("http://proxy/flights/"), "http://proxy/flights/jobs?get=a");
        assert_eq!(uri("[::1]:8081"), "http://[::1]:8081/jobs?get=a");
        assert_eq!(uri("localhost"), "http://localhost:8081/jobs?get=a");
    }

    #[test]
    fn what_is_no_address_is_said_so() {
        let said = |address: &str| Address::parse(address).unwrap_err().to_string();
        let expected = "`https://a:1` is not the address of a JobMaster: only http is spoken; write `host:port`";
        assert_eq!(said("https://a:1"), expected);
        for wrong in ["", "http://", ":8081", "a b:1", "me:secret@a:1", "a:port", "a:", "a:65536"] {
            assert!(said(wrong).starts_with(&format!("`{wrong}` is not the address")), "{}", said(wrong));
        }
    }
}
