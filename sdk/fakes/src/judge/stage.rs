//! Stage: both systems, and where the program keeps its data and listens.

use std::ffi::OsString;
use std::io;

use crate::crm::{Crm, CrmConfig};
use crate::erp::{Erp, ErpConfig};
use crate::faults::Faults;
use crate::judge::folder::Folder;
use crate::port::Port;

/// Both systems, and the folder and the port of the program.
pub(crate) struct Stage {
    pub(crate) crm: Crm,
    pub(crate) erp: Erp,
    crm_config: CrmConfig,
    erp_config: ErpConfig,
    pub(crate) folder: Folder,
    pub(crate) port: Port,
}

impl Stage {
    pub(crate) async fn set(seed: u64, [crm_name, erp_name]: &[String; 2], keep: bool) -> io::Result<Self> {
        let held = Port::free()?;
        let port = held.number();
        let folder = Folder::fresh(keep)?;
        let crm_config = CrmConfig {
            seed,
            token: format!("crm-token-{seed}"),
            client_secret: format!("crm-secret-{seed}"),
            webhook_url: Some(format!("http://127.0.0.1:{port}/webhooks/{crm_name}")),
            ..CrmConfig::default()
        };
        let erp_config = ErpConfig {
            seed,
            token: format!("erp-token-{seed}"),
            webhook_secret: format!("erp-secret-{seed}"),
            webhook_url: Some(format!("http://127.0.0.1:{port}/webhooks/{erp_name}")),
            ..ErpConfig::default()
        };
        let crm = Crm::start(crm_config.clone()).await?;
        let erp = Erp::start(erp_config.clone()).await?;
        Ok(Self { crm, erp, crm_config, erp_config, folder, port: held })
    }

    /// What the contract promises the program, and nothing else.
    pub(crate) fn env(&self) -> Vec<(String, OsString)> {
        let url = |url: &Option<String>| url.clone().unwrap_or_default();
        let texts = [
            ("PORT", self.port.number().to_string()),
            ("CRM_BASE_URL", self.crm.base_url()),
            ("ERP_BASE_URL", self.erp.base_url()),
            ("CRM_TOKEN", self.crm_config.token.clone()),
            ("ERP_TOKEN", self.erp_config.token.clone()),
            ("CRM_APP_ID", self.crm_config.app_id.clone()),
            ("CRM_CLIENT_SECRET", self.crm_config.client_secret.clone()),
            ("ERP_WEBHOOK_SECRET", self.erp_config.webhook_secret.clone()),
            ("CRM_WEBHOOK_URL", url(&self.crm_config.webhook_url)),
            ("ERP_WEBHOOK_URL", url(&self.erp_config.webhook_url)),
            ("SYNC_ORIGIN", "pairline".to_owned()),
        ];
        let texts = texts.into_iter().map(|(name, value)| (name.to_owned(), OsString::from(value)));
        texts.chain([("DATA_DIR".to_owned(), self.folder.data().into_os_string())]).collect()
    }

    pub(crate) fn set_faults(&self, faults: &Faults, (crm_lag_ms, erp_lag_ms): (u64, u64)) -> io::Result<()> {
        for set in [self.crm.set_faults(faults.clone()), self.erp.set_faults(faults.clone())] {
            set.map_err(|refused| io::Error::new(io::ErrorKind::InvalidInput, refused.message))?;
        }
        self.crm.set_search_lag_ms(crm_lag_ms);
        self.erp.set_changes_lag_ms(erp_lag_ms);
        Ok(())
    }

    pub(crate) fn faults_happened(&self) -> Vec<(String, u64)> {
        let systems = [
            ("crm", self.crm.faults_happened(), self.crm.deliveries()),
            ("erp", self.erp.faults_happened(), self.erp.deliveries()),
        ];
        let mut happened = Vec::new();
        for (side, calls, deliveries) in systems {
            let of_deliveries = [
                ("delivery_doubled", deliveries.doubled),
                ("delivery_reordered", deliveries.reordered),
                ("delivery_delayed", deliveries.delayed),
                ("delivery_dropped", deliveries.dropped),
            ];
            let faults = calls.into_iter().chain(of_deliveries).filter(|(_, times)| *times > 0);
            happened.extend(faults.map(|(name, times)| (format!("{side} {name}"), times)));
        }
        happened
    }

    pub(crate) async fn strike(self) {
        self.crm.shutdown().await;
        self.erp.shutdown().await;
    }
}
