//! TCP listeners: loopback unless told otherwise.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::error::ListenError;

pub(super) async fn bind(
    address: SocketAddr,
    allow_remote: bool,
) -> Result<(TcpListener, SocketAddr), ListenError> {
    if !address.ip().is_loopback() && !allow_remote {
        return Err(ListenError::NotLoopback { address });
    }
    let failed = |source| ListenError::Tcp { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn other_machines_are_let_in_only_on_request() {
        for open in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let refused = bind(open.parse().unwrap(), false).await.unwrap_err();
            assert_eq!(refused.code(), "address_not_loopback", "{open}");
        }
        let (_, loopback) = bind("127.0.0.1:0".parse().unwrap(), false).await.unwrap();
        assert_ne!(loopback.port(), 0);
        bind("0.0.0.0:0".parse().unwrap(), true).await.unwrap();
        let taken = bind(loopback, false).await;
        assert!(
            taken.is_ok(),
            "the first listener is gone, so its port is free"
        );
    }
}
