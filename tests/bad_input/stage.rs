//! A stage: the two reference systems in this process, the real program in another, and the secrets nobody may see.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use pairline_fakes::{Crm, CrmConfig, Erp, ErpConfig, Faults, Port, crm_signature, erp_signature};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, EnterGuard, Runtime};

use super::http::{Answer, GoBetween, call};
use super::runner::Runner;
use super::wait::{SOON, until, within};

/// What nobody may see: the tokens and secrets given by environment.
pub(crate) const CANARIES: [(&str, &str); 4] = [
    ("CRM_TOKEN", "canary-crm-token-6b1f"),
    ("ERP_TOKEN", "canary-erp-token-90c2"),
    ("CRM_CLIENT_SECRET", "canary-crm-secret-d47e"),
    ("ERP_WEBHOOK_SECRET", "canary-erp-secret-31aa"),
];

/// The systems of all tests live here; the tests themselves wait on threads of their own.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// Two systems, a data folder, and how the program is started on them.
pub(crate) struct Stage {
    pub(crate) crm: Crm,
    pub(crate) erp: Erp,
    pub(crate) port: u16,
    _held: Port,
    folder: TempDir,
    env: RefCell<BTreeMap<String, String>>,
    /// Whoever acts as a person in front of the systems does so inside of it.
    _inside: EnterGuard<'static>,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("what a program says is UTF-8");
        let said =
            Self { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) };
        keeps_secrets("a command", &format!("{}{}", said.stdout, said.stderr));
        said
    }

    /// Asserts the exit code and that each of these is in what was said on stderr.
    pub(crate) fn fails_with(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "expected `{part}` on stderr, found {self:?}");
        }
        assert!(!self.stderr.contains("panicked"), "{self:?}");
    }

    /// Asserts that stdout is one JSON document and nothing else.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("expected JSON, found {error}: {self:?}"))
    }
}

/// Asserts that a text holds no canary.
pub(crate) fn keeps_secrets(what: &str, text: &str) {
    for (name, secret) in CANARIES {
        assert!(!text.contains(secret), "the value of {name} is in {what}:\n{text}");
    }
}

/// The program.
pub(crate) fn pairline() -> Command {
    Command::new(env!("CARGO_BIN_EXE_pairline"))
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with_faults(Faults::default())
    }

    pub(crate) fn with_faults(faults: Faults) -> Self {
        Self::built(faults, |config| config)
    }

    /// With a CRM that is another than usual.
    pub(crate) fn with_crm(change: impl FnOnce(CrmConfig) -> CrmConfig) -> Self {
        Self::built(Faults::default(), change)
    }

    fn built(faults: Faults, change: impl FnOnce(CrmConfig) -> CrmConfig) -> Self {
        let held = Port::free().unwrap();
        let port = held.number();
        let url = |system: &str| format!("http://127.0.0.1:{port}/webhooks/{system}");
        let secret = |name| CANARIES.iter().find(|(known, _)| *known == name).expect("a canary").1.to_owned();
        let crm_config = CrmConfig {
            token: secret("CRM_TOKEN"),
            client_secret: secret("CRM_CLIENT_SECRET"),
            webhook_url: Some(url("crm")),
            faults: faults.clone(),
            ..CrmConfig::default()
        };
        let erp_config = ErpConfig {
            token: secret("ERP_TOKEN"),
            webhook_secret: secret("ERP_WEBHOOK_SECRET"),
            webhook_url: Some(url("erp")),
            faults,
            ..ErpConfig::default()
        };
        let crm = RUNTIME.block_on(Crm::start(change(crm_config))).unwrap();
        let erp = RUNTIME.block_on(Erp::start(erp_config)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data").to_string_lossy().into_owned();
        let mut env: BTreeMap<String, String> = CANARIES.map(|(name, value)| (name.into(), value.into())).into();
        env.extend(
            [
                ("PORT", port.to_string()),
                ("DATA_DIR", data_dir),
                ("CRM_BASE_URL", crm.base_url()),
                ("ERP_BASE_URL", erp.base_url()),
                ("CRM_APP_ID", "4242".to_owned()),
                ("CRM_WEBHOOK_URL", url("crm")),
                ("ERP_WEBHOOK_URL", url("erp")),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Self { crm, erp, port, _held: held, folder, env: RefCell::new(env), _inside: RUNTIME.enter() }
    }

    /// Sets a variable of the program's environment; an empty one is taken away.
    pub(crate) fn set(&self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if value.is_empty() {
            self.env.borrow_mut().remove(name);
        } else {
            self.env.borrow_mut().insert(name.to_owned(), value);
        }
    }

    /// A variable of the program's environment.
    pub(crate) fn variable(&self, name: &str) -> String {
        self.env.borrow()[name].clone()
    }

    /// Puts a go-between in front of `crm` or `erp`: a program that is started from now on talks to that.
    pub(crate) fn between(&self, system: &str) -> GoBetween {
        let address = match system {
            "crm" => self.crm.address(),
            "erp" => self.erp.address(),
            other => panic!("expected `crm` or `erp`, found `{other}`"),
        };
        let between = GoBetween::of(address);
        self.set(&format!("{}_BASE_URL", system.to_uppercase()), between.base_url());
        between
    }

    /// Sets a variable to nothing, which is not the same as taking it away.
    pub(crate) fn set_empty(&self, name: &str) {
        self.env.borrow_mut().insert(name.to_owned(), String::new());
    }

    /// A path in the test's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("data").join("pairline.db")
    }

    fn prepared(&self, mut command: Command) -> Command {
        command.env_clear().envs(self.env.borrow().iter()).current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["PATH", "TMPDIR", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command
    }

    /// Runs a command of the program to its end.
    pub(crate) fn cli(&self, args: &[&str]) -> Said {
        let mut command = self.prepared(pairline());
        Said::of(command.args(args).output().unwrap())
    }

    /// Runs a command of the program that must succeed, with `--json`.
    pub(crate) fn asked(&self, args: &[&str]) -> Value {
        let said = self.cli(&[&["--json"], args].concat());
        assert!(said.code <= 1 && said.stderr.is_empty(), "{args:?}: {said:?}");
        said.json()
    }

    /// Starts `pairline run` and waits until it is ready.
    pub(crate) fn run(&self, args: &[&str]) -> Runner {
        self.run_as(pairline(), args)
    }

    /// The same, and from then on only webhooks bring news: the poll that every start begins with is over.
    pub(crate) fn run_on_webhooks_only(&self, command: Command) -> Runner {
        // The first start looks at both systems once more, for the first-run guard.
        let looks = if self.database().exists() { 1 } else { 2 };
        let reads = || [self.crm.calls().reads(), self.erp.calls().reads()];
        let before = reads();
        let runner = self.run_as(command, &["--poll-ms", "600000"]);
        until("the first poll is over", || {
            let looked = reads().into_iter().zip(before).all(|(now, before)| now >= before + looks);
            looked.then_some(())
        });
        runner
    }

    /// The same as [`run`](Self::run), under a command that ends in executing its last argument.
    pub(crate) fn run_as(&self, command: Command, args: &[&str]) -> Runner {
        let runner = self.start(command, args);
        runner.opens_its_port();
        runner
    }

    /// Starts `pairline run` and does not wait.
    pub(crate) fn start(&self, command: Command, args: &[&str]) -> Runner {
        self.launch(command, &[&["run"], args].concat())
    }

    /// Starts the program with these arguments and does not wait.
    pub(crate) fn launch(&self, command: Command, args: &[&str]) -> Runner {
        let mut command = self.prepared(command);
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        Runner::of(command.spawn().unwrap(), self.port)
    }

    /// Runs `pairline run` where it must not come up, and waits for its end.
    pub(crate) fn refused(&self, args: &[&str]) -> Said {
        let mut runner = self.start(pairline(), args);
        let code = runner.ended("the program ends by itself").code();
        Said { code: code.unwrap_or(-1), stdout: String::new(), stderr: runner.log() }
    }

    /// A GET of the program.
    pub(crate) fn get(&self, path: &str) -> Answer {
        call(self.port, "GET", path, &[], b"")
    }

    /// The events of one delivery, signed as the CRM signs, at a time beside now.
    pub(crate) fn crm_webhook(&self, body: &[u8], beside_now_ms: i64) -> Answer {
        let secret = CrmSigner { secret: CANARIES[2].1, beside_now_ms };
        secret.post(self.port, body)
    }

    /// An event, signed as the ERP signs.
    pub(crate) fn erp_webhook(&self, body: &[u8]) -> Answer {
        let signature = erp_signature(CANARIES[3].1, body);
        call(self.port, "POST", "/webhooks/erp", &[("x-signature", &signature)], body)
    }

    /// Whether both systems hold the same people, linked both ways; what is missing otherwise.
    pub(crate) fn agreement(&self) -> Result<usize, String> {
        let (contacts, customers) = (there(self.crm.snapshot()), there(self.erp.snapshot()));
        if contacts.len() != customers.len() {
            return Err(format!("{} contacts and {} customers", contacts.len(), customers.len()));
        }
        for (id, contact) in &contacts {
            let erp_id = contact["erp_id"].as_str().unwrap_or_default();
            let Some(customer) = customers.get(erp_id) else {
                return Err(format!("contact {id} has the counterpart `{erp_id}`"));
            };
            if customer["custom_fields"]["crm_id"] != json!(id) {
                return Err(format!("contact {id} and customer {erp_id} are not linked both ways: {customer}"));
            }
            let text = |record: &Value, field: &str| record[field].as_str().unwrap_or_default().to_owned();
            for field in ["email", "phone", "billing_email", "vat_id"] {
                if text(contact, field) != text(customer, field) {
                    return Err(format!("`{field}` differs: {contact} and {customer}"));
                }
            }
        }
        Ok(contacts.len())
    }

    /// Waits until both systems hold the same people, so many of them.
    pub(crate) fn agrees_on(&self, people: usize) {
        let looked = within(SOON, || match self.agreement()? {
            found if found == people => Ok(()),
            found => Err(format!("{found} people, linked")),
        });
        looked.unwrap_or_else(|missing| panic!("waited {SOON:?} for {people} people on both sides: {missing}"));
    }

    /// Calls that were meant to write, to either system.
    pub(crate) fn writes(&self) -> u64 {
        self.crm.calls().writes() + self.erp.calls().writes()
    }
}

impl Drop for Stage {
    /// Nothing the program keeps holds a secret: neither its database nor what it shows of it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for name in ["pairline.db", "pairline.db-wal"] {
            let bytes = fs::read(self.path("data").join(name)).unwrap_or_default();
            keeps_secrets(name, &String::from_utf8_lossy(&bytes));
        }
        if self.database().is_file() {
            // `cli` looks at what it says itself.
            self.cli(&["trash", "list"]);
            self.cli(&["--json", "trash", "list", "--limit", "1000"]);
        }
    }
}

/// Signs as the CRM does.
pub(crate) struct CrmSigner<'a> {
    pub(crate) secret: &'a str,
    pub(crate) beside_now_ms: i64,
}

impl CrmSigner<'_> {
    pub(crate) fn post(&self, port: u16, body: &[u8]) -> Answer {
        let url = format!("http://127.0.0.1:{port}/webhooks/crm");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let at = (i64::try_from(now.as_millis()).unwrap() + self.beside_now_ms).to_string();
        let signature = crm_signature(self.secret, &url, body, &at);
        let headers = [("x-hubspot-signature-v3", signature.as_str()), ("x-hubspot-request-timestamp", &at)];
        call(port, "POST", "/webhooks/crm", &headers, body)
    }
}

/// Records that are not gone, by id.
pub(crate) fn there(records: Vec<pairline_fakes::RecordView>) -> BTreeMap<String, Value> {
    let there = records.into_iter().filter(|record| !record.gone);
    there.map(|record| (record.id, Value::Object(record.fields))).collect()
}

/// Copies a folder.
pub(crate) fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let inside = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copied(&path, &inside);
        } else {
            fs::copy(&path, &inside).unwrap();
        }
    }
}
