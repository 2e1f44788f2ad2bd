//! The fake CRM and ERP, as `dev` wants to be handed them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use pairline_fakes::{Crm, CrmConfig, Erp, ErpConfig};
use pairline_runner::cli::counted;
use pairline_runner::composition::{Demo, DemoSystems};

/// Starts the fakes on the reference systems' usual ports, or on free ones when those are taken.
pub(crate) struct Fakes;

struct Running {
    crm: Crm,
    erp: Erp,
}

const USUAL_PORTS: [u16; 2] = [18081, 18082];

#[async_trait]
impl Demo for Fakes {
    async fn start(
        &self,
        webhook_base: &str,
        seed: u64,
        variables: &mut BTreeMap<String, String>,
    ) -> std::io::Result<Arc<dyn DemoSystems>> {
        let (crm_webhook, erp_webhook) = (format!("{webhook_base}/crm"), format!("{webhook_base}/erp"));
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let crm_config = |port| CrmConfig {
            bind: loopback(port),
            webhook_url: Some(crm_webhook.clone()),
            seed,
            control: true,
            ..CrmConfig::default()
        };
        let erp_config = |port| ErpConfig {
            bind: loopback(port),
            webhook_url: Some(erp_webhook.clone()),
            seed,
            control: true,
            ..ErpConfig::default()
        };
        let [crm_port, erp_port] = USUAL_PORTS;
        let crm = match Crm::start(crm_config(crm_port)).await {
            Ok(crm) => crm,
            Err(_) => Crm::start(crm_config(0)).await?,
        };
        let erp = match Erp::start(erp_config(erp_port)).await {
            Ok(erp) => erp,
            Err(_) => Erp::start(erp_config(0)).await?,
        };
        let (crm_defaults, erp_defaults) = (CrmConfig::default(), ErpConfig::default());
        variables.extend(
            [
                ("CRM_BASE_URL", crm.base_url()),
                ("ERP_BASE_URL", erp.base_url()),
                ("CRM_TOKEN", crm_defaults.token),
                ("ERP_TOKEN", erp_defaults.token),
                ("CRM_APP_ID", crm_defaults.app_id),
                ("CRM_CLIENT_SECRET", crm_defaults.client_secret),
                ("ERP_WEBHOOK_SECRET", erp_defaults.webhook_secret),
                ("CRM_WEBHOOK_URL", crm_webhook),
                ("ERP_WEBHOOK_URL", erp_webhook),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Ok(Arc::new(Running { crm, erp }))
    }
}

#[async_trait]
impl DemoSystems for Running {
    fn lines(&self) -> Vec<String> {
        let line = |name: &str, records: usize, calls: pairline_fakes::Calls, url: &str| {
            let records = counted(records.try_into().unwrap_or(u64::MAX), "record", "records");
            format!(
                "{name}   {records}, {}, {}   {url}",
                counted(calls.reads(), "read", "reads"),
                counted(calls.writes(), "write", "writes")
            )
        };
        let there = |records: Vec<pairline_fakes::RecordView>| records.iter().filter(|record| !record.gone).count();
        vec![
            line("crm", there(self.crm.snapshot()), self.crm.calls(), &self.crm.base_url()),
            line("erp", there(self.erp.snapshot()), self.erp.calls(), &self.erp.base_url()),
        ]
    }

    fn examples(&self) -> Vec<String> {
        let person = |url: &str, body: &str| {
            format!("curl -s {url}/_control/people -H 'content-type: application/json' -d '{body}'")
        };
        let contact = r#"{"do":"create","fields":{"firstname":"Ada","lastname":"Lovelace","email":"ada@example.org"}}"#;
        let billing = r#"{"do":"edit","id":"WHS-000001","fields":{"billing_email":"billing@example.org"}}"#;
        vec![
            person(&self.crm.base_url(), contact),
            person(&self.erp.base_url(), billing),
            format!(
                "curl -s {}/crm/v3/objects/contacts -H 'authorization: Bearer {}'",
                self.crm.base_url(),
                CrmConfig::default().token
            ),
        ]
    }

    async fn stop(&self) {
        self.crm.shutdown().await;
        self.erp.shutdown().await;
    }
}
