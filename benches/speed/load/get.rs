//! Gets one document, again and again.

use anyhow::Result;
use url::Url;

use super::{Caller, Connection};

pub(crate) struct Get {
    connection: Connection,
    address: Url,
}

impl Get {
    pub(crate) fn new(address: Url) -> Result<Self> {
        Ok(Self {
            connection: Connection::new(&address)?,
            address,
        })
    }
}

impl Caller for Get {
    async fn call(&mut self) -> Result<()> {
        let reply = self.connection.get(&self.address, &[]).await;
        if reply.is_err() {
            self.connection.drop_connection();
        }
        reply?.expect(200).map(drop)
    }
}
