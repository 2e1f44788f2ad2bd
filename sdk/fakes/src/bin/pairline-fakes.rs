//! Runs the reference CRM and ERP as a process of their own, set up by environment alone.
//!
//! Besides the variables of the two systems (`CRM_TOKEN`, `CRM_APP_ID`, `CRM_CLIENT_SECRET`, `CRM_WEBHOOK_URL`,
//! `ERP_TOKEN`, `ERP_WEBHOOK_SECRET`, `ERP_WEBHOOK_URL`):
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `CRM_PORT`, `ERP_PORT` | 18081, 18082 | where they listen on 127.0.0.1; 0 takes a free port |
//! | `FAKES_SEED` | 0 | decides every fault |
//! | `FAKES_FAULTS` | `{}` | faults of both, as JSON |
//! | `FAKES_LAG_MS` | 0 | how far the CRM's search lags |
//! | `FAKES_UNIQUE` | none | `email`, `erp_id` or both with a comma |
//! | `FAKES_DEFINED_PROPERTIES` | 0 | 1 refuses properties that the CRM does not define |
//! | `FAKES_USUAL_PROPERTIES` | 0 | 1 shows six properties of a contact where nobody asks for others |
//! | `FAKES_CONTROL` | 1 | 0 leaves the `/_control` routes out |
//!
//! It prints one line per server when both listen, and stops on SIGTERM or Ctrl-C.

use std::env;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use pairline_fakes::{Crm, CrmConfig, Erp, ErpConfig, Faults, UniqueRules};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What there is to type: nothing.
const USAGE: &str = "pairline-fakes takes no arguments: it runs a fake CRM and a fake ERP until it is stopped, set up by the \
environment alone, such as CRM_PORT, ERP_PORT, CRM_TOKEN, ERP_TOKEN and FAKES_FAULTS";

#[tokio::main]
async fn main() -> Outcome<()> {
    match env::args().nth(1).as_deref() {
        None => {}
        Some("-h" | "--help") => {
            println!("{USAGE}");
            return Ok(());
        }
        Some(_) => return Err(USAGE.into()),
    }
    let crm = Crm::start(crm_config()?).await?;
    let erp = Erp::start(erp_config()?).await?;
    println!("crm {}", crm.base_url());
    println!("erp {}", erp.base_url());
    told_to_stop().await?;
    crm.shutdown().await;
    erp.shutdown().await;
    Ok(())
}

fn crm_config() -> Outcome<CrmConfig> {
    let defaults = CrmConfig::default();
    Ok(CrmConfig {
        bind: loopback(number("CRM_PORT", 18_081)?),
        token: text("CRM_TOKEN", &defaults.token),
        app_id: text("CRM_APP_ID", &defaults.app_id),
        client_secret: text("CRM_CLIENT_SECRET", &defaults.client_secret),
        webhook_url: Some(text("CRM_WEBHOOK_URL", "http://127.0.0.1:18090/webhooks/crm")),
        seed: number("FAKES_SEED", 0)?,
        faults: faults()?,
        enforce_unique: unique_rules()?,
        search_lag_ms: number("FAKES_LAG_MS", 0)?,
        defined_properties_only: number("FAKES_DEFINED_PROPERTIES", 0)? == 1,
        usual_properties_only: number("FAKES_USUAL_PROPERTIES", 0)? == 1,
        control: number("FAKES_CONTROL", 1)? == 1,
        ..defaults
    })
}

fn erp_config() -> Outcome<ErpConfig> {
    let defaults = ErpConfig::default();
    Ok(ErpConfig {
        bind: loopback(number("ERP_PORT", 18_082)?),
        token: text("ERP_TOKEN", &defaults.token),
        webhook_secret: text("ERP_WEBHOOK_SECRET", &defaults.webhook_secret),
        webhook_url: Some(text("ERP_WEBHOOK_URL", "http://127.0.0.1:18090/webhooks/erp")),
        seed: number("FAKES_SEED", 0)?,
        faults: faults()?,
        control: number("FAKES_CONTROL", 1)? == 1,
        ..defaults
    })
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn text(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

fn number<T: FromStr>(name: &str, default: T) -> Outcome<T> {
    match env::var(name) {
        Err(_) => Ok(default),
        Ok(text) => text.parse().map_err(|_| format!("expected a number in {name}, found `{text}`").into()),
    }
}

fn faults() -> Outcome<Faults> {
    let text = text("FAKES_FAULTS", "{}");
    serde_json::from_str(&text).map_err(|error| format!("cannot read FAKES_FAULTS: {error}").into())
}

fn unique_rules() -> Outcome<UniqueRules> {
    let mut rules = UniqueRules::default();
    for name in text("FAKES_UNIQUE", "").split(',').map(str::trim) {
        match name {
            "" => {}
            "email" => rules.email = true,
            "erp_id" => rules.erp_id = true,
            other => {
                return Err(format!("no rule `{other}` for FAKES_UNIQUE; known: email, erp_id").into());
            }
        }
    }
    Ok(rules)
}

#[cfg(unix)]
async fn told_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn told_to_stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
